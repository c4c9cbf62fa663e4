import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import type { Activation } from '../schema/activation.ts';
import { requireWholeHeads } from '../schema/config-rules.ts';
import {
  type FieldTable,
  readFields,
  requireKnownFields,
  type ToJsonOptions,
  writeFields,
} from '../schema/field-table.ts';
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
} from '../schema/field-types.ts';
import { frozenObject, type JsonObject } from '../schema/json-values.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from '../schema/limits.ts';
import { partOf, requireModelType } from '../schema/sub-config.ts';
import { rotaryParameters, withRotaryBase } from './rotary-parameters.ts';
import type { RotaryScaling } from './rotary-scaling.ts';

interface LlamaFields {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /**
   * Heads of keys and values, each shared by as many query heads as there are more of those; `numAttentionHeads` if
   * absent.
   */
  readonly numKeyValueHeads: number;
  /** `hiddenSize / numAttentionHeads` if absent. */
  readonly headDim: number;
  readonly hiddenAct: Activation;
  readonly maxPositionEmbeddings: number;
  /** Base of the rotary frequencies; in the file's `rope_parameters` since transformers 5. */
  readonly ropeTheta: number;
  readonly rmsNormEps: number;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly attentionDropout: number;
  readonly initializerRange: number;
  readonly useCache: boolean;
  readonly tieWordEmbeddings: boolean;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | readonly number[] | undefined;
  readonly padTokenId: number | undefined;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/** A language model of the Llama architecture (`LlamaConfig` of the reference), Vicuna among them: decoder-only. */
export interface LlamaConfig extends LlamaFields {
  readonly modelType: 'llama';
  readonly isEncoderDecoder: false;
  /**
   * How the rotary frequencies were changed, if they were. Given as the file has it: `rope_scaling` or
   * `rope_parameters` of `json`.
   */
  readonly ropeScaling: RotaryScaling | undefined;
  /** The JSON that it was read from; `toJson` keeps what is unknown here. */
  readonly json: JsonObject;
}

type StoredFields = Omit<LlamaFields, 'numKeyValueHeads' | 'headDim'> & {
  readonly numKeyValueHeads: number | undefined;
  readonly headDim: number | undefined;
};

/**
 * Names on disk, defaults and bounds. Source: `models/llama/configuration_llama.py`, transformers 5.18; `rope_theta`:
 * 4.57.
 */
const fields: FieldTable<StoredFields> = {
  vocabSize: count('vocab_size', 32000, MAX_VOCABULARY),
  hiddenSize: count('hidden_size', 4096, MAX_WIDTH),
  intermediateSize: count('intermediate_size', 11008, MAX_WIDTH),
  numHiddenLayers: count('num_hidden_layers', 32, MAX_LAYERS),
  numAttentionHeads: count('num_attention_heads', 32, MAX_HEADS),
  numKeyValueHeads: optional(count('num_key_value_heads', 32, MAX_HEADS)),
  headDim: optional(count('head_dim', 128, MAX_WIDTH)),
  hiddenAct: activation('hidden_act', 'silu'),
  maxPositionEmbeddings: count('max_position_embeddings', 2048, MAX_POSITIONS),
  ropeTheta: positive('rope_theta', 10000),
  rmsNormEps: epsilon('rms_norm_eps', 1e-6),
  attentionBias: flag('attention_bias', false),
  mlpBias: flag('mlp_bias', false),
  attentionDropout: probability('attention_dropout', 0),
  initializerRange: deviation('initializer_range', 0.02),
  useCache: flag('use_cache', true),
  tieWordEmbeddings: flag('tie_word_embeddings', false),
  bosTokenId: tokenId('bos_token_id', 1),
  eosTokenId: tokenIds('eos_token_id', 2),
  padTokenId: tokenId('pad_token_id', undefined),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

const MODEL_TYPE = 'llama';

function read(json: JsonObject, where: string): LlamaFields & Pick<LlamaConfig, 'ropeScaling'> {
  const stored = readFields(fields, json, where);
  requireWholeHeads(stored.hiddenSize, stored.numAttentionHeads, where);
  const { base, scaling } = rotaryParameters(json, where, stored.maxPositionEmbeddings);
  const values = {
    ...stored,
    ropeTheta: base ?? stored.ropeTheta,
    ropeScaling: scaling,
    numKeyValueHeads: stored.numKeyValueHeads ?? stored.numAttentionHeads,
    headDim: stored.headDim ?? stored.hiddenSize / stored.numAttentionHeads,
  };
  if (values.numAttentionHeads % values.numKeyValueHeads !== 0) {
    throw new Blip2Error('INVALID_CONFIG', 'Query heads cannot share the heads of keys and values evenly', {
      expected: 'num_attention_heads to be a multiple of num_key_value_heads',
      got: `${values.numAttentionHeads} for ${values.numKeyValueHeads}`,
      where,
    });
  }
  if (values.headDim % 2 !== 0)
    throw new Blip2Error('INVALID_CONFIG', 'Rotary positions turn pairs of numbers', {
      expected: 'an even head_dim',
      got: String(values.headDim),
      where,
    });
  return values;
}

function fromJson(json: unknown, where = 'config.json'): LlamaConfig {
  const own = partOf(frozenObject(json, where), 'text_config', where);
  requireModelType(own.json, [MODEL_TYPE], own.where);
  return Object.freeze({
    modelType: MODEL_TYPE,
    isEncoderDecoder: false,
    ...read(own.json, own.where),
    json: own.json,
  });
}

/**
 * `json` with the given fields written. Where the file keeps the rotary base among `rope_parameters`, it is written
 * there.
 */
function write(json: JsonObject, values: Partial<LlamaConfig>, options?: ToJsonOptions): Record<string, unknown> {
  return withRotaryBase(
    writeFields<StoredFields>(fields, values, json, (other) => read(other, MODEL_TYPE), options),
    json,
    values.ropeTheta,
  );
}

function toJson(config: LlamaConfig, options?: ToJsonOptions): Record<string, unknown> {
  return { ...(options?.full && { model_type: MODEL_TYPE }), ...write(config.json, config, options) };
}

function create(overrides: Partial<LlamaConfig> = {}): LlamaConfig {
  requireKnownFields(fields, overrides, ['modelType', 'isEncoderDecoder', 'ropeScaling', 'json'], MODEL_TYPE);
  const base = fromJson({ model_type: MODEL_TYPE, ...overrides.json }, MODEL_TYPE);
  if (overrides.ropeScaling !== undefined && !isDeepStrictEqual(overrides.ropeScaling, base.ropeScaling)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'The scaling of rotary positions is given in json', {
      where: 'ropeScaling',
      fix: 'Write json: { rope_scaling: { rope_type, factor, … } }',
    });
  }
  return fromJson(write(base.json, overrides), MODEL_TYPE);
}

export const LlamaConfig: {
  /**
   * Reads a Llama configuration, or the `text_config` of a whole model's configuration. Fails with `INVALID_CONFIG`, or
   * `UNSUPPORTED_ARCHITECTURE`, also for
   * scalings of the rotary positions other than `linear` and `llama3`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with the fields that differ from it written; absent defaults stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /** The reference's defaults, or those of `overrides.json`, with some fields replaced. */
  readonly create: typeof create;
} = { fromJson, toJson, create };
