import type { ConfigFormat } from '../schema/define-config.ts';
import { flag } from '../schema/field-types.ts';
import { QWEN_DEFAULTS, type QwenFields, qwenFields, qwenLayers } from './qwen2-config.ts';
import { defineRotaryDecoderConfig, type RotaryDecoderConfig, rotaryDecoderSizes } from './rotary-decoder-config.ts';
import type { WindowedLayers } from './sliding-window.ts';
import type { TextFamily } from './text-family.ts';

interface Qwen3Fields extends QwenFields {
  readonly attentionBias: boolean;
}

/** A decoder-only language model of the Qwen3 architecture (HF `Qwen3Config`). */
export interface Qwen3Config extends RotaryDecoderConfig, Qwen3Fields, WindowedLayers {
  readonly modelType: 'qwen3';
}

/** Names on disk, defaults and bounds. Source: `models/qwen3/configuration_qwen3.py`, transformers 5.18. */
export const Qwen3Config: ConfigFormat<Qwen3Config> = defineRotaryDecoderConfig<
  Qwen3Config,
  Qwen3Fields,
  WindowedLayers
>({
  modelType: 'qwen3',
  defaults: { ...QWEN_DEFAULTS, headDim: 128 },
  fields: { ...qwenFields, attentionBias: flag('attention_bias', false) },
  derived: ['layerTypes'],
  derive: qwenLayers,
  wholeHeads: false,
});

export const qwen3Family: TextFamily<Qwen3Config> = { format: Qwen3Config, sizes: rotaryDecoderSizes };
