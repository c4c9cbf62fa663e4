/**
 * Phi-3: Llama with joined projections, a rotated part of each head in some models, and `longrope` (arXiv 2404.14219).
 * HF class `Phi3ForCausalLM`; checkpoint path `model`, below `language_model` in a BLIP-2 checkpoint.
 */
import { Phi3Config } from '@blip2/config';
import type { Part, StandalonePart } from '@blip2/part';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineRotaryLanguageModel } from '../causal/define-rotary-language-model.ts';
import { ROTARY_TOKEN_EMBEDDING } from '../causal/rotary-decoder.ts';
import type { LanguageFamily } from '../language-family.ts';

/** A Phi-3 model with its head: the seam for decoding, and the full forward of HF `Phi3ForCausalLM`. */
export interface Phi3ForCausalLM extends CausalLanguageModel, StandalonePart<Phi3Config> {
  prepare(): Promise<void>;
}

export const Phi3ForCausalLM: Part<Phi3Config, Phi3ForCausalLM> = defineRotaryLanguageModel<Phi3Config>({
  architectures: { phi3: 'Phi3ForCausalLM' },
  config: Phi3Config,
  layout: () => ({ name: 'phi3', joined: true }),
});

export const phi3Family: LanguageFamily<Phi3Config> = {
  part: Phi3ForCausalLM,
  tokenEmbeddings: [ROTARY_TOKEN_EMBEDDING],
};
