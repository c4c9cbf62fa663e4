/**
 * Mistral: Llama with shared keys and values, and a window in every layer of some models (arXiv 2310.06825).
 * HF class `MistralForCausalLM`; checkpoint path `model`, below `language_model` in a BLIP-2 checkpoint.
 */
import { MistralConfig } from '@blip2/config';
import type { Part, StandalonePart } from '@blip2/part';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineRotaryLanguageModel } from '../causal/define-rotary-language-model.ts';
import { ROTARY_TOKEN_EMBEDDING } from '../causal/rotary-decoder.ts';
import type { LanguageFamily } from '../language-family.ts';

/** A Mistral model with its head: the seam for decoding, and the full forward of HF `MistralForCausalLM`. */
export interface MistralForCausalLM extends CausalLanguageModel, StandalonePart<MistralConfig> {
  prepare(): Promise<void>;
}

export const MistralForCausalLM: Part<MistralConfig, MistralForCausalLM> = defineRotaryLanguageModel<MistralConfig>({
  architectures: { mistral: 'MistralForCausalLM' },
  config: MistralConfig,
  layout: () => ({ name: 'mistral' }),
});

export const mistralFamily: LanguageFamily<MistralConfig> = {
  part: MistralForCausalLM,
  tokenEmbeddings: [ROTARY_TOKEN_EMBEDDING],
};
