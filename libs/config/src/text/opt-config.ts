import type { Activation } from '../schema/activation.ts';
import { requireWholeHeads } from '../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { activation, count, deviation, flag, optional, probability, tokenId, tokenIds } from '../schema/field-types.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from '../schema/limits.ts';
import type { CommonTextFields, TextConfigMembers } from './text-config-members.ts';
import type { TextFamily } from './text-family.ts';

interface OptFields extends CommonTextFields {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly ffnDim: number;
  /** Rows of the position embedding, without its two leading ones. */
  readonly maxPositionEmbeddings: number;
  /** Norms before attention and feed-forward (all but opt-350m), or after the residual sum. */
  readonly doLayerNormBefore: boolean;
  readonly removeFinalLayerNorm: boolean;
  /** Width of the token embedding. Default: `hiddenSize`. */
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
}

/** The OPT language model (HF `OPTConfig`), decoder-only. */
export interface OptConfig extends OptFields, TextConfigMembers {
  readonly modelType: 'opt';
  readonly isEncoderDecoder: false;
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

export const OptConfig: ConfigFormat<OptConfig> = defineConfig<OptConfig, StoredFields>({
  modelType: 'opt',
  key: 'text_config',
  fields,
  derived: ['isEncoderDecoder'],
  derive: (stored) => ({
    ...stored,
    isEncoderDecoder: false,
    wordEmbedProjDim: stored.wordEmbedProjDim ?? stored.hiddenSize,
  }),
  check: ({ hiddenSize, numAttentionHeads }, where) => requireWholeHeads(hiddenSize, numAttentionHeads, where),
});

export const optFamily: TextFamily<OptConfig> = {
  format: OptConfig,
  sizes: ({
    numHiddenLayers: layers,
    maxPositionEmbeddings: maxPositions,
    tieWordEmbeddings: hasTiedHead,
    wordEmbedProjDim: embeddingSize,
  }) => ({
    layers,
    maxPositions,
    hasTiedHead,
    embeddingSize,
  }),
  licences: [
    {
      // MODEL_LICENSE.md of metaseq, sections 1a and 2a.
      repositories: /\bopt-?\d/i,
      note:
        "The OPT language model in it is for non-commercial research only (Meta's OPT licence); " +
        'Salesforce/blip2-flan-t5-xl has no such limit',
    },
  ],
};
