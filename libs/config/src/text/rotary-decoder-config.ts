/** What the configurations of decoders with rotary positions, RMS norms and a gated feed-forward have in common. */
import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import type { Activation } from '../schema/activation.ts';
import { requireWholeHeads } from '../schema/config-rules.ts';
import { type ConfigFormat, type ConfigSource, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import {
  activation,
  count,
  deviation,
  epsilon,
  flag,
  optional,
  positive,
  probability,
  tokenId,
  tokenIds,
  withDefault,
} from '../schema/field-types.ts';
import type { JsonObject } from '../schema/json-values.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from '../schema/limits.ts';
import { rotaryParameters, withRotaryBase } from './rotary-parameters.ts';
import type { RotaryScaling } from './rotary-scaling.ts';
import type { CommonTextFields, TextConfigMembers } from './text-config-members.ts';
import type { TextFamily } from './text-family.ts';

/** Fields that are stored. */
export interface RotaryDecoderFields extends CommonTextFields {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Heads of keys and values, each shared by `numAttentionHeads / numKeyValueHeads` query heads. */
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly hiddenAct: Activation;
  readonly maxPositionEmbeddings: number;
  /** Base of the rotary frequencies; stored in `rope_parameters` since transformers 5. */
  readonly ropeTheta: number;
  readonly rmsNormEps: number;
  readonly attentionDropout: number;
  readonly initializerRange: number;
  readonly useCache: boolean;
  readonly tieWordEmbeddings: boolean;
}

/** The members of every configuration of the kind. */
export interface RotaryDecoderConfig extends RotaryDecoderFields, TextConfigMembers {
  readonly isEncoderDecoder: false;
  /** Scaling of the rotary frequencies, if any. Stored as `rope_scaling` or `rope_parameters` in `json`. */
  readonly ropeScaling: RotaryScaling | undefined;
  /** Elements of each head that are rotated: all, unless `partial_rotary_factor` is below 1. */
  readonly rotaryDim: number;
}

/** The defaults in which families differ. */
export interface RotaryDecoderDefaults {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Absent: as many as query heads. */
  readonly keyValueHeads?: number;
  /** Absent: `hiddenSize / numAttentionHeads`. */
  readonly headDim?: number;
  /** Key of the activation. Default `hidden_act`. */
  readonly activationKey?: string;
  readonly activation?: Activation;
  readonly maxPositions: number;
  /** Base of the rotary frequencies. Default 10000. */
  readonly theta?: number;
  readonly epsilon: number;
  readonly tied?: boolean;
  readonly bos?: number;
  readonly eos?: number;
  readonly pad?: number;
}

/** The defaults of Llama, which most families of the kind share. */
export const ROTARY_DEFAULTS: RotaryDecoderDefaults = {
  vocabSize: 32000,
  hiddenSize: 4096,
  intermediateSize: 11008,
  layers: 32,
  heads: 32,
  maxPositions: 2048,
  epsilon: 1e-6,
};

type StoredFields = Omit<RotaryDecoderFields, 'numKeyValueHeads' | 'headDim'> & {
  readonly numKeyValueHeads: number | undefined;
  readonly headDim: number | undefined;
};

function rotaryDecoderFields(defaults: RotaryDecoderDefaults): FieldTable<StoredFields> {
  const { heads, keyValueHeads, headDim } = defaults;
  return {
    vocabSize: count('vocab_size', defaults.vocabSize, MAX_VOCABULARY),
    hiddenSize: count('hidden_size', defaults.hiddenSize, MAX_WIDTH),
    intermediateSize: count('intermediate_size', defaults.intermediateSize, MAX_WIDTH),
    numHiddenLayers: count('num_hidden_layers', defaults.layers, MAX_LAYERS),
    numAttentionHeads: count('num_attention_heads', heads, MAX_HEADS),
    numKeyValueHeads: withDefault(optional(count('num_key_value_heads', heads, MAX_HEADS)), keyValueHeads),
    headDim: withDefault(optional(count('head_dim', 128, MAX_WIDTH)), headDim),
    hiddenAct: activation(defaults.activationKey ?? 'hidden_act', defaults.activation ?? 'silu'),
    maxPositionEmbeddings: count('max_position_embeddings', defaults.maxPositions, MAX_POSITIONS),
    ropeTheta: positive('rope_theta', defaults.theta ?? 10000),
    rmsNormEps: epsilon('rms_norm_eps', defaults.epsilon),
    attentionDropout: probability('attention_dropout', 0),
    initializerRange: deviation('initializer_range', 0.02),
    useCache: flag('use_cache', true),
    tieWordEmbeddings: flag('tie_word_embeddings', defaults.tied ?? false),
    bosTokenId: tokenId('bos_token_id', defaults.bos),
    eosTokenId: tokenIds('eos_token_id', defaults.eos),
    padTokenId: tokenId('pad_token_id', defaults.pad),
    outputHiddenStates: flag('output_hidden_states', false),
    outputAttentions: flag('output_attentions', false),
  };
}

export interface RotaryDecoderDefinition<C extends RotaryDecoderConfig, Own extends object, Derived extends object> {
  readonly modelType: C['modelType'];
  readonly defaults: RotaryDecoderDefaults;
  /** Stored fields of the family. */
  readonly fields: FieldTable<Own>;
  /** Members that derive from stored fields, and their names. */
  readonly derived: readonly (keyof Derived & string)[];
  derive(stored: RotaryDecoderFields & Own, source: ConfigSource): Derived;
  /**
   * Whether a part of each head may be rotated; a number is the part that is rotated if the file states none. Default
   * false: refused, as the HF class rotates all of it.
   */
  readonly partialRotary?: boolean | number;
  /** The rotary parameters within a configuration that has several. Default: the configuration. */
  rotaryJson?(json: JsonObject): JsonObject;
  /** Whether heads must divide the hidden size. Default true. */
  readonly wholeHeads?: boolean;
}

/**
 * Defines the configuration of a decoder with rotary positions, RMS norms and a gated feed-forward. Rotary scalings
 * that are not supported throw `UNSUPPORTED_ARCHITECTURE`.
 */
export function defineRotaryDecoderConfig<
  C extends RotaryDecoderConfig,
  Own extends object,
  Derived extends object = object,
>(definition: RotaryDecoderDefinition<C, Own, Derived>): ConfigFormat<C> {
  type Values = Omit<C, 'modelType' | 'json'>;
  const { defaults, partialRotary = false, wholeHeads = true } = definition;
  const fields = { ...rotaryDecoderFields(defaults), ...definition.fields } as FieldTable<StoredFields & Own>;
  const derived = ['isEncoderDecoder', 'ropeScaling', 'rotaryDim', ...definition.derived];
  return defineConfig<C, StoredFields & Own>({
    modelType: definition.modelType,
    key: 'text_config',
    fields,
    derived: derived as (keyof C & string)[],
    derive(stored, source) {
      const { json, where } = source;
      if (wholeHeads) requireWholeHeads(stored.hiddenSize, stored.numAttentionHeads, where);
      const headDim = stored.headDim ?? Math.floor(stored.hiddenSize / stored.numAttentionHeads);
      const { base, scaling, rotatedPart } = rotaryParameters(definition.rotaryJson?.(json) ?? json, where, {
        maxPositionEmbeddings: stored.maxPositionEmbeddings,
        partialRotary,
      });
      const whole = {
        ...stored,
        ropeTheta: base ?? stored.ropeTheta,
        numKeyValueHeads: stored.numKeyValueHeads ?? stored.numAttentionHeads,
        headDim,
      };
      // `C` has these members and no others.
      return {
        ...whole,
        isEncoderDecoder: false,
        ropeScaling: scaling,
        rotaryDim: Math.floor(headDim * rotatedPart),
        ...definition.derive(whole, source),
      } as unknown as Values;
    },
    check: requireRotaryHeads,
    storedOverrides(overrides, base) {
      if (overrides.ropeScaling === undefined || isDeepStrictEqual(overrides.ropeScaling, base.ropeScaling))
        return overrides;
      throw new Blip2Error('INVALID_ARGUMENT', 'ropeScaling can only be set in json', {
        argument: 'ropeScaling',
        fix: 'Pass json: { rope_scaling: { rope_type, factor, … } }',
      });
    },
    // If the file stores the rotary base in `rope_parameters`, it is written there.
    place: (written, json, { ropeTheta }) => withRotaryBase(written, json, ropeTheta),
  });
}

function requireRotaryHeads(
  {
    hiddenSize,
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rotaryDim,
    ropeScaling,
  }: Omit<RotaryDecoderConfig, 'modelType' | 'json'>,
  where: string,
): void {
  if (numAttentionHeads % numKeyValueHeads !== 0) {
    throw new Blip2Error('INVALID_CONFIG', 'num_attention_heads must be a multiple of num_key_value_heads', {
      expected: `a multiple of ${numKeyValueHeads}`,
      got: String(numAttentionHeads),
      where,
    });
  }
  if (headDim % 2 !== 0)
    throw new Blip2Error('INVALID_CONFIG', 'head_dim must be even for rotary position embeddings', {
      expected: 'an even number',
      got: `${headDim} (hidden_size ${hiddenSize}, ${numAttentionHeads} heads)`,
      where,
    });
  if (rotaryDim % 2 !== 0 || rotaryDim === 0)
    throw new Blip2Error('INVALID_CONFIG', 'The rotated part of each head must have an even number of elements', {
      expected: 'a positive even number',
      got: `${rotaryDim} of ${headDim}`,
      where: `${where}.partial_rotary_factor`,
    });
  if (ropeScaling?.type !== 'longrope') return;
  for (const [key, factors] of [
    ['short_factor', ropeScaling.shortFactor],
    ['long_factor', ropeScaling.longFactor],
  ] as const) {
    if (factors.length !== rotaryDim / 2)
      throw new Blip2Error('INVALID_CONFIG', `${key} must have one number per pair of rotated elements`, {
        expected: String(rotaryDim / 2),
        got: String(factors.length),
        where,
      });
  }
}

/** Layers, positions and head of a decoder of the kind, for a `TextFamily`. */
export const rotaryDecoderSizes: TextFamily<RotaryDecoderConfig>['sizes'] = ({
  numHiddenLayers: layers,
  maxPositionEmbeddings: maxPositions,
  tieWordEmbeddings: hasTiedHead,
}) => ({ layers, maxPositions, hasTiedHead });
