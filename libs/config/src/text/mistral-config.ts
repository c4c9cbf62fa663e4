import type { ConfigFormat } from '../schema/define-config.ts';
import { defineRotaryDecoderConfig, type RotaryDecoderConfig, rotaryDecoderSizes } from './rotary-decoder-config.ts';
import { slidingWindow } from './sliding-window.ts';
import type { TextFamily } from './text-family.ts';

interface MistralFields {
  /** Number of positions that a position attends to, itself included; undefined: all earlier ones. */
  readonly slidingWindow: number | undefined;
}

/** A decoder-only language model of the Mistral architecture (HF `MistralConfig`). */
export interface MistralConfig extends RotaryDecoderConfig, MistralFields {
  readonly modelType: 'mistral';
}

/** Names on disk, defaults and bounds. Source: `models/mistral/configuration_mistral.py`, transformers 5.18. */
export const MistralConfig: ConfigFormat<MistralConfig> = defineRotaryDecoderConfig<MistralConfig, MistralFields>({
  modelType: 'mistral',
  defaults: {
    vocabSize: 32000,
    hiddenSize: 4096,
    intermediateSize: 14336,
    layers: 32,
    heads: 32,
    keyValueHeads: 8,
    maxPositions: 131072,
    epsilon: 1e-6,
    bos: 1,
    eos: 2,
  },
  fields: { slidingWindow: slidingWindow(4096) },
  derived: [],
  derive: () => ({}),
  wholeHeads: false,
});

export const mistralFamily: TextFamily<MistralConfig> = { format: MistralConfig, sizes: rotaryDecoderSizes };
