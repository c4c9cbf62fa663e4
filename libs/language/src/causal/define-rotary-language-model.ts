import type { ConfigFormat } from '@blip2/config';
import { type Part, type StandalonePart, transformerInitializer } from '@blip2/part';

import { type PositionValues, rotationValues } from '../exported/position-values.ts';
import { sensitiveHead } from '../sensitive-head.ts';
import type { CausalLanguageModel } from './causal-forward-types.ts';
import { type CausalDefinition, defineCausalLanguageModel } from './define-causal-language-model.ts';
import {
  buildRotaryDecoder,
  buildRotaryEmbedding,
  ROTARY_TOKEN_EMBEDDING,
  rotaryDecoderSizes,
} from './rotary-decoder.ts';
import type { RotaryConfigOf, RotaryDecoderLayout } from './rotary-decoder-layout.ts';
import { rotaryInputs } from './rotary-inputs.ts';
import { windowOf } from './window.ts';

/** What a family of decoders with rotary positions declares. */
export interface RotaryDefinition<C extends RotaryConfigOf> {
  /** HF class by `model_type`. */
  readonly architectures: Readonly<Record<C['modelType'], string>>;
  readonly config: ConfigFormat<C>;
  layout(config: C): RotaryDecoderLayout;
  /** The inputs of the position encoding. Default: `rotaryInputs`. */
  positionInputs?: CausalDefinition<C>['positionInputs'];
  /** The same inputs as values of a graph. Default: `rotationValues`. */
  readonly positionValues?: PositionValues<C>;
  initializer?: CausalDefinition<C>['initializer'];
}

/**
 * Defines a decoder with rotary positions, RMS norms and a gated feed-forward. As in HF, `forward` counts padding as
 * positions; decoding counts only the positions that the mask includes. A row that is padded on the left therefore has
 * the logits of the unpadded row in decoding only.
 */
export function defineRotaryLanguageModel<C extends RotaryConfigOf>({
  architectures,
  config,
  layout,
  positionInputs = rotaryInputs,
  positionValues = rotationValues,
  initializer = ({ initializerRange }) => transformerInitializer(initializerRange),
}: RotaryDefinition<C>): Part<C, CausalLanguageModel & StandalonePart<C>> {
  return defineCausalLanguageModel<C>({
    architectures,
    config,
    sizes: rotaryDecoderSizes,
    maxPositions: ({ maxPositionEmbeddings }) => maxPositionEmbeddings,
    initializer,
    buildEmbedding: (config, weights, prefix) => buildRotaryEmbedding(config, layout(config), weights, prefix),
    buildDecoder: (config, weights, prefix, request) =>
      buildRotaryDecoder(config, layout(config), weights, prefix, request),
    positionInputs,
    positionValues,
    window: (config) => windowOf(config, config.numHiddenLayers),
    // The factors of longrope depend on the longest row.
    isJoinable: ({ ropeScaling }) => ropeScaling?.type !== 'longrope',
    tokenEmbeddings: [ROTARY_TOKEN_EMBEDDING],
    sensitive: [sensitiveHead('embed_tokens')],
  });
}
