import type { Activation } from './schema/activation.ts';
import { requireWholeHeads } from './schema/config-rules.ts';
import {
  type FieldTable,
  readFields,
  requireKnownFields,
  type ToJsonOptions,
  writeFields,
} from './schema/field-table.ts';
import { activation, count, deviation, epsilon, flag, oneOf, probability, tokenId } from './schema/field-types.ts';
import { frozenObject, type JsonObject } from './schema/json-values.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from './schema/limits.ts';
import { familyType, isWhole, partOf, requireModelType } from './schema/sub-config.ts';
import { Blip2VisionConfig } from './vision/blip2-vision-config.ts';

export type PositionEmbeddingType = 'absolute' | 'relative_key' | 'relative_key_query';

interface QFormerFields {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: Activation;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  readonly maxPositionEmbeddings: number;
  readonly initializerRange: number;
  readonly layerNormEps: number;
  readonly padTokenId: number | undefined;
  /** Relative kinds exist up to transformers 4.57. */
  readonly positionEmbeddingType: PositionEmbeddingType;
  /** Layer `i` has cross-attention where `i % crossAttentionFrequency === 0`. */
  readonly crossAttentionFrequency: number;
  /** Width of the patches that the cross-attention reads. */
  readonly encoderHiddenSize: number;
  /** Whether it also has the layers and embeddings of a text. */
  readonly useQformerTextInput: boolean;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/**
 * The Querying Transformer of BLIP-2 (`Blip2QFormerConfig` of the reference): BERT-base with cross-attention by
 * default.
 */
export interface Blip2QFormerConfig extends QFormerFields {
  /** InstructBLIP's is the same but for its name, and that it always reads a text. */
  readonly modelType: 'blip_2_qformer' | 'instructblip_qformer';
  /** The JSON that it was read from; `toJson` keeps what is unknown here. */
  readonly json: JsonObject;
}

/**
 * Names on disk, defaults and bounds. Source: `models/blip_2/configuration_blip_2.py`, transformers 5.18;
 * `position_embedding_type`: 4.57.
 */
const fields: FieldTable<QFormerFields> = {
  vocabSize: count('vocab_size', 30522, MAX_VOCABULARY),
  hiddenSize: count('hidden_size', 768, MAX_WIDTH),
  numHiddenLayers: count('num_hidden_layers', 12, MAX_LAYERS),
  numAttentionHeads: count('num_attention_heads', 12, MAX_HEADS),
  intermediateSize: count('intermediate_size', 3072, MAX_WIDTH),
  hiddenAct: activation('hidden_act', 'gelu'),
  hiddenDropoutProb: probability('hidden_dropout_prob', 0.1),
  attentionProbsDropoutProb: probability('attention_probs_dropout_prob', 0.1),
  maxPositionEmbeddings: count('max_position_embeddings', 512, MAX_POSITIONS),
  initializerRange: deviation('initializer_range', 0.02),
  layerNormEps: epsilon('layer_norm_eps', 1e-12),
  padTokenId: tokenId('pad_token_id', 0),
  positionEmbeddingType: oneOf('position_embedding_type', 'absolute', [
    'absolute',
    'relative_key',
    'relative_key_query',
  ]),
  crossAttentionFrequency: count('cross_attention_frequency', 2, MAX_LAYERS),
  encoderHiddenSize: count('encoder_hidden_size', 1408, MAX_WIDTH),
  useQformerTextInput: flag('use_qformer_text_input', false),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

const MODEL_TYPE = 'blip_2_qformer';
const INSTRUCTBLIP_TYPE = 'instructblip_qformer';

function read(json: JsonObject, where: string): QFormerFields {
  const values = readFields(fields, json, where);
  requireWholeHeads(values.hiddenSize, values.numAttentionHeads, where);
  return values;
}

function fromJson(json: unknown, where = 'config.json'): Blip2QFormerConfig {
  const given = frozenObject(json, where);
  const own = partOf(given, 'qformer_config', where);
  requireModelType(own.json, [MODEL_TYPE, INSTRUCTBLIP_TYPE], own.where);
  const values = read(own.json, own.where);
  // The reference overwrites what the file says by the width of the vision encoder beside it.
  const encoderHiddenSize = isWhole(given)
    ? Blip2VisionConfig.fromJson(given, where).hiddenSize
    : values.encoderHiddenSize;
  return Object.freeze({
    modelType: familyType<Blip2QFormerConfig['modelType']>(own.json, given, MODEL_TYPE, INSTRUCTBLIP_TYPE),
    ...values,
    encoderHiddenSize,
    json: own.json,
  });
}

function toJson(config: Blip2QFormerConfig, options?: ToJsonOptions): Record<string, unknown> {
  return {
    ...(options?.full && { model_type: config.modelType }),
    ...writeFields<QFormerFields>(fields, config, config.json, (json) => read(json, MODEL_TYPE), options),
  };
}

function create(overrides: Partial<Blip2QFormerConfig> = {}): Blip2QFormerConfig {
  requireKnownFields(fields, overrides, ['modelType', 'json'], MODEL_TYPE);
  const base = fromJson({ model_type: overrides.modelType ?? MODEL_TYPE, ...overrides.json }, MODEL_TYPE);
  return fromJson(
    writeFields<QFormerFields>(fields, overrides, base.json, (json) => read(json, MODEL_TYPE)),
    MODEL_TYPE,
  );
}

export const Blip2QFormerConfig: {
  /**
   * Reads a Q-Former configuration, or the `qformer_config` of a whole BLIP-2 configuration; then `encoderHiddenSize`
   * is the vision encoder's width, whatever the file says.
   * Fails with `INVALID_CONFIG` or `UNSUPPORTED_ARCHITECTURE`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with the fields that differ from it written; absent defaults stay absent unless `full`. */
  readonly toJson: typeof toJson;
  /** The reference's defaults, or those of `overrides.json`, with some fields replaced. */
  readonly create: typeof create;
} = { fromJson, toJson, create };
