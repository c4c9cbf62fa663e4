import type { ConfigFormat, ConfigSource } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { count, flag } from '../schema/field-types.ts';
import { MAX_LAYERS } from '../schema/limits.ts';
import {
  defineRotaryDecoderConfig,
  type RotaryDecoderConfig,
  type RotaryDecoderDefaults,
  type RotaryDecoderFields,
  rotaryDecoderSizes,
} from './rotary-decoder-config.ts';
import { layerTypes, slidingWindow, type WindowedLayers } from './sliding-window.ts';
import type { TextFamily } from './text-family.ts';

/** Fields of Qwen2 and Qwen3. */
export interface QwenFields {
  readonly useSlidingWindow: boolean;
  readonly slidingWindow: number | undefined;
  /** The first layer with a window, if windows are used. */
  readonly maxWindowLayers: number;
}

/** A decoder-only language model of the Qwen2 architecture (HF `Qwen2Config`), which Qwen2.5 has too. */
export interface Qwen2Config extends RotaryDecoderConfig, QwenFields, WindowedLayers {
  readonly modelType: 'qwen2';
}

/** Names on disk, defaults and bounds. Source: `models/qwen2/configuration_qwen2.py`, transformers 5.18. */
export const qwenFields: FieldTable<QwenFields> = {
  useSlidingWindow: flag('use_sliding_window', false),
  slidingWindow: slidingWindow(4096),
  maxWindowLayers: count('max_window_layers', 28, MAX_LAYERS, { low: 0 }),
};

/** Layers from `max_window_layers` on have a window, if windows are used. */
export function qwenLayers(
  { numHiddenLayers, useSlidingWindow, slidingWindow: window, maxWindowLayers }: RotaryDecoderFields & QwenFields,
  source: ConfigSource,
): WindowedLayers {
  const isWindowed = (layer: number): boolean => useSlidingWindow && window !== undefined && layer >= maxWindowLayers;
  return {
    layerTypes: layerTypes(source, numHiddenLayers, (layer) =>
      isWindowed(layer) ? 'sliding_attention' : 'full_attention',
    ),
  };
}

export const QWEN_DEFAULTS: RotaryDecoderDefaults = {
  vocabSize: 151936,
  hiddenSize: 4096,
  intermediateSize: 22016,
  layers: 32,
  heads: 32,
  keyValueHeads: 32,
  maxPositions: 32768,
  epsilon: 1e-6,
};

export const Qwen2Config: ConfigFormat<Qwen2Config> = defineRotaryDecoderConfig<
  Qwen2Config,
  QwenFields,
  WindowedLayers
>({
  modelType: 'qwen2',
  defaults: QWEN_DEFAULTS,
  fields: qwenFields,
  derived: ['layerTypes'],
  derive: qwenLayers,
});

export const qwen2Family: TextFamily<Qwen2Config> = { format: Qwen2Config, sizes: rotaryDecoderSizes };
