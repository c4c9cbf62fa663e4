import type { ConfigFormat } from '../schema/define-config.ts';
import { flag } from '../schema/field-types.ts';
import {
  defineRotaryDecoderConfig,
  ROTARY_DEFAULTS,
  type RotaryDecoderConfig,
  rotaryDecoderSizes,
} from './rotary-decoder-config.ts';
import type { TextFamily } from './text-family.ts';

interface LlamaFields {
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
}

/** A decoder-only language model of the Llama architecture (HF `LlamaConfig`), such as Vicuna. */
export interface LlamaConfig extends RotaryDecoderConfig, LlamaFields {
  readonly modelType: 'llama';
}

/**
 * Names on disk, defaults and bounds. Source: `models/llama/configuration_llama.py`, transformers 5.18; `rope_theta`:
 * 4.57. Rotary scalings other than `linear` and `llama3` throw `UNSUPPORTED_ARCHITECTURE`.
 */
export const LlamaConfig: ConfigFormat<LlamaConfig> = defineRotaryDecoderConfig<LlamaConfig, LlamaFields>({
  modelType: 'llama',
  defaults: { ...ROTARY_DEFAULTS, bos: 1, eos: 2 },
  fields: { attentionBias: flag('attention_bias', false), mlpBias: flag('mlp_bias', false) },
  derived: [],
  derive: () => ({}),
});

export const llamaFamily: TextFamily<LlamaConfig> = {
  format: LlamaConfig,
  sizes: rotaryDecoderSizes,
  licences: [
    {
      // Card of Salesforce/instructblip-vicuna-7b; lm-sys/FastChat.
      repositories: /vicuna/i,
      note:
        'The Vicuna language model inside comes under the terms of LLaMA, ' +
        'and the model is intended for research only',
    },
  ],
};
