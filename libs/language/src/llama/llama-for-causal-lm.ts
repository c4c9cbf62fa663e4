import { LlamaConfig } from '@blip2/config';
import { type Part, type PartWeights, type StandalonePart, transformerInitializer } from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineCausalLanguageModel } from '../causal/define-causal-language-model.ts';
import { rotaryInputs } from '../causal/rotary-inputs.ts';
import type { LanguageFamily } from '../language-family.ts';
import { sensitiveHead } from '../sensitive-head.ts';
import { buildLlamaDecoder, buildLlamaEmbedding, llamaSizes, TOKEN_EMBEDDING } from './llama-graph.ts';

/**
 * A model of the Llama architecture, such as Vicuna: the seam for decoding, and the full forward of HF
 * `LlamaForCausalLM`. As in HF, `forward` counts padding as positions; decoding counts only the positions that the mask
 * includes. A row that is padded on the left therefore has the logits of the unpadded row in decoding only.
 */
export interface LlamaForCausalLM extends CausalLanguageModel, StandalonePart<LlamaConfig> {
  prepare(): Promise<void>;
}

export const LlamaForCausalLM: Part<LlamaConfig, LlamaForCausalLM> = defineCausalLanguageModel<LlamaConfig>({
  architectures: { llama: 'LlamaForCausalLM' },
  config: LlamaConfig,
  sizes: llamaSizes,
  maxPositions: ({ maxPositionEmbeddings }) => maxPositionEmbeddings,
  initializer: ({ initializerRange }) => transformerInitializer(initializerRange),
  buildEmbedding: buildLlamaEmbedding,
  buildDecoder: buildLlamaDecoder,
  positionInputs: rotaryInputs,
  sensitive: [sensitiveHead('embed_tokens')],
});

export const llamaFamily: LanguageFamily<LlamaConfig> = { part: LlamaForCausalLM, tokenEmbeddings: [TOKEN_EMBEDDING] };

/** Creates a Llama model from its configuration and weights. Nothing is loaded before its first use. */
export function createLlamaForCausalLM(
  config: LlamaConfig,
  weights: PartWeights,
  options?: PartOptions,
): LlamaForCausalLM {
  return LlamaForCausalLM.create(config, weights, options);
}
