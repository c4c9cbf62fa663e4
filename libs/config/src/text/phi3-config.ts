import type { ConfigFormat } from '../schema/define-config.ts';
import { defineRotaryDecoderConfig, type RotaryDecoderConfig, rotaryDecoderSizes } from './rotary-decoder-config.ts';
import { slidingWindow } from './sliding-window.ts';
import type { TextFamily } from './text-family.ts';

interface Phi3Fields {
  /** Number of positions that a position attends to, itself included; undefined: all earlier ones. */
  readonly slidingWindow: number | undefined;
}

/** A decoder-only language model of the Phi-3 architecture (HF `Phi3Config`), which Phi-4 has too. */
export interface Phi3Config extends RotaryDecoderConfig, Phi3Fields {
  readonly modelType: 'phi3';
}

/** Names on disk, defaults and bounds. Source: `models/phi3/configuration_phi3.py`, transformers 5.18. */
export const Phi3Config: ConfigFormat<Phi3Config> = defineRotaryDecoderConfig<Phi3Config, Phi3Fields>({
  modelType: 'phi3',
  defaults: {
    vocabSize: 32064,
    hiddenSize: 3072,
    intermediateSize: 8192,
    layers: 32,
    heads: 32,
    maxPositions: 4096,
    epsilon: 1e-5,
    bos: 1,
    eos: 32000,
    pad: 32000,
  },
  fields: { slidingWindow: slidingWindow(undefined) },
  derived: [],
  derive: () => ({}),
  partialRotary: true,
});

export const phi3Family: TextFamily<Phi3Config> = { format: Phi3Config, sizes: rotaryDecoderSizes };
