/**
 * Qwen2: Llama with biases of queries, keys and values, and windows in later layers of some models (arXiv
 * 2407.10671).
 * HF class `Qwen2ForCausalLM`; checkpoint path `model`, below `language_model` in a BLIP-2 checkpoint.
 */
import { Qwen2Config } from '@blip2/config';
import type { Part, StandalonePart } from '@blip2/part';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineRotaryLanguageModel } from '../causal/define-rotary-language-model.ts';
import { ROTARY_TOKEN_EMBEDDING } from '../causal/rotary-decoder.ts';
import type { LanguageFamily } from '../language-family.ts';

/** A Qwen2 model with its head: the seam for decoding, and the full forward of HF `Qwen2ForCausalLM`. */
export interface Qwen2ForCausalLM extends CausalLanguageModel, StandalonePart<Qwen2Config> {
  prepare(): Promise<void>;
}

export const Qwen2ForCausalLM: Part<Qwen2Config, Qwen2ForCausalLM> = defineRotaryLanguageModel<Qwen2Config>({
  architectures: { qwen2: 'Qwen2ForCausalLM' },
  config: Qwen2Config,
  layout: () => ({ name: 'qwen2', queryKeyValueBias: true }),
});

export const qwen2Family: LanguageFamily<Qwen2Config> = {
  part: Qwen2ForCausalLM,
  tokenEmbeddings: [ROTARY_TOKEN_EMBEDDING],
};
