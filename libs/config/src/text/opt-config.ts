import type { Activation } from '../schema/activation.ts';
import { requireWholeHeads } from '../schema/config-rules.ts';
import {
  type FieldTable,
  readFields,
  requireKnownFields,
  type ToJsonOptions,
  writeFields,
} from '../schema/field-table.ts';
import { activation, count, deviation, flag, optional, probability, tokenId, tokenIds } from '../schema/field-types.ts';
import { frozenObject, type JsonObject } from '../schema/json-values.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from '../schema/limits.ts';
import { partOf, requireModelType } from '../schema/sub-config.ts';

interface OptFields {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly ffnDim: number;
  /** Positions of the table, without its two leading rows. */
  readonly maxPositionEmbeddings: number;
  /** Norms before attention and feed-forward (all but opt-350m), or after the residual sum. */
  readonly doLayerNormBefore: boolean;
  readonly removeFinalLayerNorm: boolean;
  /** Width of the word embeddings; `hiddenSize` if absent. */
  readonly wordEmbedProjDim: number;
  readonly activationFunction: Activation;
  readonly enableBias: boolean;
  readonly layerNormElementwiseAffine: boolean;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly layerdrop: number;
  readonly initStd: number;
  readonly useCache: boolean;
  readonly tieWordEmbeddings: boolean;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | readonly number[] | undefined;
  readonly padTokenId: number | undefined;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/** The OPT language model (`OPTConfig` of the reference): decoder-only. */
export interface OptConfig extends OptFields {
  readonly modelType: 'opt';
  readonly isEncoderDecoder: false;
  /** The JSON that it was read from; `toJson` keeps what is unknown here. */
  readonly json: JsonObject;
}

type StoredFields = Omit<OptFields, 'wordEmbedProjDim'> & { readonly wordEmbedProjDim: number | undefined };

/** Names on disk, defaults and bounds. Source: `models/opt/configuration_opt.py`, transformers 5.18. */
const fields: FieldTable<StoredFields> = {
  vocabSize: count('vocab_size', 50272, MAX_VOCABULARY),
  hiddenSize: count('hidden_size', 768, MAX_WIDTH),
  numHiddenLayers: count('num_hidden_layers', 12, MAX_LAYERS),
  numAttentionHeads: count('num_attention_heads', 12, MAX_HEADS),
  ffnDim: count('ffn_dim', 3072, MAX_WIDTH),
  maxPositionEmbeddings: count('max_position_embeddings', 2048, MAX_POSITIONS),
  doLayerNormBefore: flag('do_layer_norm_before', true),
  removeFinalLayerNorm: flag('_remove_final_layer_norm', false),
  wordEmbedProjDim: optional(count('word_embed_proj_dim', 768, MAX_WIDTH)),
  activationFunction: activation('activation_function', 'relu'),
  enableBias: flag('enable_bias', true),
  layerNormElementwiseAffine: flag('layer_norm_elementwise_affine', true),
  dropout: probability('dropout', 0.1),
  attentionDropout: probability('attention_dropout', 0),
  layerdrop: probability('layerdrop', 0),
  initStd: deviation('init_std', 0.02),
  useCache: flag('use_cache', true),
  tieWordEmbeddings: flag('tie_word_embeddings', true),
  bosTokenId: tokenId('bos_token_id', 2),
  eosTokenId: tokenIds('eos_token_id', 2),
  padTokenId: tokenId('pad_token_id', 1),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

const MODEL_TYPE = 'opt';

function read(json: JsonObject, where: string): OptFields {
  const values = readFields(fields, json, where);
  requireWholeHeads(values.hiddenSize, values.numAttentionHeads, where);
  return { ...values, wordEmbedProjDim: values.wordEmbedProjDim ?? values.hiddenSize };
}

function fromJson(json: unknown, where = 'config.json'): OptConfig {
  const own = partOf(frozenObject(json, where), 'text_config', where);
  requireModelType(own.json, [MODEL_TYPE], own.where);
  return Object.freeze({
    modelType: MODEL_TYPE,
    isEncoderDecoder: false,
    ...read(own.json, own.where),
    json: own.json,
  });
}

function toJson(config: OptConfig, options?: ToJsonOptions): Record<string, unknown> {
  return {
    ...(options?.full && { model_type: MODEL_TYPE }),
    ...writeFields<StoredFields>(fields, config, config.json, (json) => read(json, MODEL_TYPE), options),
  };
}

function create(overrides: Partial<OptConfig> = {}): OptConfig {
  requireKnownFields(fields, overrides, ['modelType', 'isEncoderDecoder', 'json'], MODEL_TYPE);
  const base = fromJson({ model_type: MODEL_TYPE, ...overrides.json }, MODEL_TYPE);
  return fromJson(
    writeFields<StoredFields>(fields, overrides, base.json, (json) => read(json, MODEL_TYPE)),
    MODEL_TYPE,
  );
}

export const OptConfig: {
  /**
   * Reads an OPT configuration, or the `text_config` of a whole BLIP-2 configuration. Fails with `INVALID_CONFIG` or
   * `UNSUPPORTED_ARCHITECTURE`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with the fields that differ from it written; absent defaults stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /** The reference's defaults, or those of `overrides.json`, with some fields replaced. */
  readonly create: typeof create;
} = { fromJson, toJson, create };
