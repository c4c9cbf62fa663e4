/**
 * Gemma 3 without images: norms before and after attention and feed-forward, norms of heads, and windows in five of six
 * layers, whose rotations have another base (arXiv 2503.19786).
 * HF class `Gemma3ForCausalLM`; checkpoint path `model`, below `language_model` in a BLIP-2 checkpoint.
 */
import { Gemma3TextConfig } from '@blip2/config';
import { type Part, type StandalonePart, transformerInitializer } from '@blip2/part';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineRotaryLanguageModel } from '../causal/define-rotary-language-model.ts';
import { ROTARY_TOKEN_EMBEDDING } from '../causal/rotary-decoder.ts';
import { rotaryInputs } from '../causal/rotary-inputs.ts';
import { namedRotations, rotationValues } from '../exported/position-values.ts';
import type { LanguageFamily } from '../language-family.ts';

/** A Gemma 3 model with its head: the seam for decoding, and the full forward of HF `Gemma3ForCausalLM`. */
export interface Gemma3ForCausalLM extends CausalLanguageModel, StandalonePart<Gemma3TextConfig> {
  prepare(): Promise<void>;
}

export const Gemma3ForCausalLM: Part<Gemma3TextConfig, Gemma3ForCausalLM> = defineRotaryLanguageModel<Gemma3TextConfig>(
  {
    architectures: { gemma3_text: 'Gemma3ForCausalLM' },
    config: Gemma3TextConfig,
    layout: ({ hiddenSize, attentionBias, queryPreAttnScalar, finalLogitSoftcapping }) => ({
      name: 'gemma3',
      queryKeyValueBias: attentionBias,
      outputBias: attentionBias,
      headNorms: true,
      normsAfter: true,
      normOffset: 1,
      embeddingFactor: Math.sqrt(hiddenSize),
      scoreFactor: 1 / Math.sqrt(queryPreAttnScalar),
      logitBound: finalLogitSoftcapping,
      windowRotations: true,
    }),
    positionInputs(config, mask, count, use) {
      const windowed = { ...config, ropeTheta: config.ropeLocalTheta, ropeScaling: undefined };
      const { rotation_cos, rotation_sin } = rotaryInputs(windowed, mask, count, use);
      return {
        ...rotaryInputs(config, mask, count, use),
        window_rotation_cos: rotation_cos,
        window_rotation_sin: rotation_sin,
      };
    },
    positionValues: (g, config, positions) => ({
      ...rotationValues(g, config, positions),
      ...namedRotations(
        g,
        { ...config, ropeTheta: config.ropeLocalTheta, ropeScaling: undefined },
        positions,
        'window_rotation',
      ),
    }),
    // Norms store their weight minus one.
    initializer: ({ initializerRange }) => {
      const initialize = transformerInitializer(initializerRange);
      return (name, shape) => (/norm\.weight$/.test(name) ? { kind: 'zeros' } : initialize(name, shape));
    },
  },
);

export const gemma3TextFamily: LanguageFamily<Gemma3TextConfig> = {
  part: Gemma3ForCausalLM,
  tokenEmbeddings: [ROTARY_TOKEN_EMBEDDING],
};
