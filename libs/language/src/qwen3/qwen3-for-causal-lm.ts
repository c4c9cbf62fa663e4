/**
 * Qwen3: Qwen2 with norms of query and key heads (arXiv 2505.09388).
 * HF class `Qwen3ForCausalLM`; checkpoint path `model`, below `language_model` in a BLIP-2 checkpoint.
 */
import { Qwen3Config } from '@blip2/config';
import type { Part, StandalonePart } from '@blip2/part';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { defineRotaryLanguageModel } from '../causal/define-rotary-language-model.ts';
import { ROTARY_TOKEN_EMBEDDING } from '../causal/rotary-decoder.ts';
import type { LanguageFamily } from '../language-family.ts';

/** A Qwen3 model with its head: the seam for decoding, and the full forward of HF `Qwen3ForCausalLM`. */
export interface Qwen3ForCausalLM extends CausalLanguageModel, StandalonePart<Qwen3Config> {
  prepare(): Promise<void>;
}

export const Qwen3ForCausalLM: Part<Qwen3Config, Qwen3ForCausalLM> = defineRotaryLanguageModel<Qwen3Config>({
  architectures: { qwen3: 'Qwen3ForCausalLM' },
  config: Qwen3Config,
  layout: ({ attentionBias }) => ({
    name: 'qwen3',
    headNorms: true,
    queryKeyValueBias: attentionBias,
    outputBias: attentionBias,
  }),
});

export const qwen3Family: LanguageFamily<Qwen3Config> = {
  part: Qwen3ForCausalLM,
  tokenEmbeddings: [ROTARY_TOKEN_EMBEDDING],
};
