import type { Activation } from './schema/activation.ts';
import { requireWholeHeads } from './schema/config-rules.ts';
import { type ConfigFormat, defineConfig, type PartConfig } from './schema/define-config.ts';
import type { FieldTable } from './schema/field-table.ts';
import { activation, count, deviation, epsilon, flag, oneOf, probability, tokenId } from './schema/field-types.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from './schema/limits.ts';
import { VisionConfig } from './vision/vision-families.ts';

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
  /** The relative types exist up to transformers 4.57. */
  readonly positionEmbeddingType: PositionEmbeddingType;
  /** Layer `i` has cross-attention if `i % crossAttentionFrequency === 0`. */
  readonly crossAttentionFrequency: number;
  /** Width of the patch features that cross-attention attends to. */
  readonly encoderHiddenSize: number;
  /** Whether it also has embeddings and feed-forward layers for text. */
  readonly useQformerTextInput: boolean;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/** The Querying Transformer of BLIP-2 (HF `Blip2QFormerConfig`): BERT-base with cross-attention by default. */
export interface Blip2QFormerConfig extends QFormerFields, PartConfig {
  /** InstructBLIP's Q-Former differs only in its name, and always has text input. */
  readonly modelType: 'blip_2_qformer' | 'instructblip_qformer';
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

/** With the configuration of a full model, `encoderHiddenSize` is the width of its vision encoder, as in HF. */
export const Blip2QFormerConfig: ConfigFormat<Blip2QFormerConfig> = defineConfig<Blip2QFormerConfig, QFormerFields>({
  modelType: 'blip_2_qformer',
  instructBlipType: 'instructblip_qformer',
  key: 'qformer_config',
  fields,
  derive: (stored, { fullModel, where }) =>
    fullModel ? { ...stored, encoderHiddenSize: VisionConfig.fromJson(fullModel, where).hiddenSize } : stored,
  check: ({ hiddenSize, numAttentionHeads }, where) => requireWholeHeads(hiddenSize, numAttentionHeads, where),
});
