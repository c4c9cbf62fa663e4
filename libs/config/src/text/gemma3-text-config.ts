import { Blip2Error } from '@blip2/interfaces';

import type { ConfigFormat, ConfigSource } from '../schema/define-config.ts';
import { finite, flag, optional, positive } from '../schema/field-types.ts';
import { expectObject, type JsonObject, ownValue, show } from '../schema/json-values.ts';
import {
  defineRotaryDecoderConfig,
  type RotaryDecoderConfig,
  type RotaryDecoderFields,
  rotaryDecoderSizes,
} from './rotary-decoder-config.ts';
import { rotaryParameters } from './rotary-parameters.ts';
import { layerTypes, slidingWindow, type WindowedLayers } from './sliding-window.ts';
import type { TextFamily } from './text-family.ts';

interface Gemma3TextFields {
  readonly attentionBias: boolean;
  /** Attention scores are divided by its square root. */
  readonly queryPreAttnScalar: number;
  readonly slidingWindow: number | undefined;
  /** Bound of the logits, `c · tanh(logits / c)`; undefined: none. */
  readonly finalLogitSoftcapping: number | undefined;
}

interface Gemma3TextDerived extends WindowedLayers {
  /** Base of the rotary frequencies of layers with a window. */
  readonly ropeLocalTheta: number;
}

/** A decoder-only language model of the Gemma 3 architecture (HF `Gemma3TextConfig`), without its vision encoder. */
export interface Gemma3TextConfig extends RotaryDecoderConfig, Gemma3TextFields, Gemma3TextDerived {
  readonly modelType: 'gemma3_text';
}

const LOCAL_THETA = 10_000;
/** Every sixth layer has no window. */
const PATTERN = 6;

/** The rotary parameters of one type of layers: flat in older files, by type since transformers 5. */
function rotaryJson(json: JsonObject, type: 'full_attention' | 'sliding_attention'): JsonObject {
  const byType = ownValue(json, 'rope_parameters') ?? undefined;
  const isFull = type === 'full_attention';
  if (byType === undefined)
    return isFull ? json : { rope_theta: ownValue(json, 'rope_local_base_freq') ?? LOCAL_THETA };
  const own = ownValue(expectObject(byType, 'rope_parameters'), type) ?? {};
  const theta = isFull ? ownValue(json, 'rope_theta') : ownValue(json, 'rope_local_base_freq');
  // HF looks for `truncate` outside of the objects by type, where it never is.
  const { truncate: _, ...parameters } = expectObject(own, 'rope_parameters');
  return { ...(theta !== undefined && { rope_theta: theta }), rope_parameters: parameters };
}

function derive(stored: RotaryDecoderFields & Gemma3TextFields, source: ConfigSource): Gemma3TextDerived {
  const { json, where } = source;
  refuse(json, where, 'attn_logit_softcapping');
  refuse(json, where, 'use_bidirectional_attention');
  const local = rotaryJson(json, 'sliding_attention');
  const { base, scaling } = rotaryParameters(local, where, {
    maxPositionEmbeddings: stored.maxPositionEmbeddings,
    partialRotary: false,
  });
  if (scaling)
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Rotary scaling of layers with a window is not supported', {
      expected: 'default',
      got: scaling.type,
      where: `${where}.rope_parameters.sliding_attention`,
    });
  const pattern = ownValue(json, 'sliding_window_pattern') ?? PATTERN;
  return {
    layerTypes: layerTypes(source, stored.numHiddenLayers, (layer) =>
      (layer + 1) % Number(pattern) === 0 ? 'full_attention' : 'sliding_attention',
    ),
    ropeLocalTheta:
      base ?? positive('rope_local_base_freq', 1).read(ownValue(local, 'rope_theta') ?? LOCAL_THETA, where),
  };
}

function refuse(json: JsonObject, where: string, key: string): void {
  const value = ownValue(json, key) ?? false;
  if (value === false) return;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', `${key} is not supported`, {
    expected: 'null or false',
    got: show(value),
    where: `${where}.${key}`,
  });
}

/** Names on disk, defaults and bounds. Source: `models/gemma3/configuration_gemma3.py`, transformers 5.18. */
export const Gemma3TextConfig: ConfigFormat<Gemma3TextConfig> = defineRotaryDecoderConfig<
  Gemma3TextConfig,
  Gemma3TextFields,
  Gemma3TextDerived
>({
  modelType: 'gemma3_text',
  defaults: {
    vocabSize: 262_208,
    hiddenSize: 2304,
    intermediateSize: 9216,
    layers: 26,
    heads: 8,
    keyValueHeads: 4,
    headDim: 256,
    activationKey: 'hidden_activation',
    activation: 'gelu_pytorch_tanh',
    maxPositions: 131_072,
    theta: 1_000_000,
    epsilon: 1e-6,
    tied: true,
    pad: 0,
    eos: 1,
    bos: 2,
  },
  fields: {
    attentionBias: flag('attention_bias', false),
    queryPreAttnScalar: positive('query_pre_attn_scalar', 256),
    slidingWindow: slidingWindow(4096),
    finalLogitSoftcapping: optional(finite('final_logit_softcapping', 30)),
  },
  derived: ['layerTypes', 'ropeLocalTheta'],
  derive,
  rotaryJson: (json) => rotaryJson(json, 'full_attention'),
});

export const gemma3TextFamily: TextFamily<Gemma3TextConfig> = { format: Gemma3TextConfig, sizes: rotaryDecoderSizes };
