import { LlamaConfig } from '@blip2/config';
import type { Part, PartWeights, StandalonePart } from '@blip2/part';
import type { PartOptions } from '@blip2/runtime';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineRotaryLanguageModel } from '../causal/define-rotary-language-model.ts';
import { ROTARY_TOKEN_EMBEDDING } from '../causal/rotary-decoder.ts';
import type { LanguageFamily } from '../language-family.ts';
import { llamaLayout } from './llama-graph.ts';

/**
 * A model of the Llama architecture, such as Vicuna: the seam for decoding, and the full forward of HF
 * `LlamaForCausalLM`. As in HF, `forward` counts padding as positions; decoding counts only the positions that the mask
 * includes. A row that is padded on the left therefore has the logits of the unpadded row in decoding only.
 */
export interface LlamaForCausalLM extends CausalLanguageModel, StandalonePart<LlamaConfig> {
  prepare(): Promise<void>;
}

export const LlamaForCausalLM: Part<LlamaConfig, LlamaForCausalLM> = defineRotaryLanguageModel<LlamaConfig>({
  architectures: { llama: 'LlamaForCausalLM' },
  config: LlamaConfig,
  layout: llamaLayout,
});

export const llamaFamily: LanguageFamily<LlamaConfig> = {
  part: LlamaForCausalLM,
  tokenEmbeddings: [ROTARY_TOKEN_EMBEDDING],
};

/** Creates a Llama model from its configuration and weights. Nothing is loaded before its first use. */
export function createLlamaForCausalLM(
  config: LlamaConfig,
  weights: PartWeights,
  options?: PartOptions,
): LlamaForCausalLM {
  return LlamaForCausalLM.create(config, weights, options);
}
