import { Blip2Error } from '@blip2/interfaces';

import type { Activation } from '../schema/activation.ts';
import { requireWholeHeads } from '../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { activation, count, deviation, epsilon, flag, optional, tokenId, tokenIds } from '../schema/field-types.ts';
import { ownValue } from '../schema/json-values.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from '../schema/limits.ts';
import type { CommonTextFields, TextConfigMembers } from './text-config-members.ts';
import type { TextFamily } from './text-family.ts';

interface Gpt2Fields extends CommonTextFields {
  readonly hiddenSize: number;
  /** Width of the feed-forward layers. Default: `4 · hiddenSize`. */
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly activationFunction: Activation;
  readonly maxPositionEmbeddings: number;
  readonly layerNormEpsilon: number;
  readonly initializerRange: number;
  /** Whether attention scores are divided by `√headSize`. */
  readonly scaleAttnWeights: boolean;
  /** Whether attention scores of layer `i` are divided by `i + 1`. */
  readonly scaleAttnByInverseLayerIdx: boolean;
  readonly useCache: boolean;
  readonly tieWordEmbeddings: boolean;
}

/** A decoder-only language model of the GPT-2 architecture (HF `GPT2Config`). */
export interface Gpt2Config extends Gpt2Fields, TextConfigMembers {
  readonly modelType: 'gpt2';
  readonly isEncoderDecoder: false;
}

type StoredFields = Omit<Gpt2Fields, 'intermediateSize'> & { readonly intermediateSize: number | undefined };

/** Names on disk, defaults and bounds. Source: `models/gpt2/configuration_gpt2.py`, transformers 5.18. */
const fields: FieldTable<StoredFields> = {
  vocabSize: count('vocab_size', 50257, MAX_VOCABULARY),
  hiddenSize: count('n_embd', 768, MAX_WIDTH, { aliases: ['hidden_size'] }),
  intermediateSize: optional(count('n_inner', 3072, MAX_WIDTH)),
  numHiddenLayers: count('n_layer', 12, MAX_LAYERS, { aliases: ['num_hidden_layers'] }),
  numAttentionHeads: count('n_head', 12, MAX_HEADS, { aliases: ['num_attention_heads'] }),
  activationFunction: activation('activation_function', 'gelu_new'),
  maxPositionEmbeddings: count('n_positions', 1024, MAX_POSITIONS, { aliases: ['max_position_embeddings'] }),
  layerNormEpsilon: epsilon('layer_norm_epsilon', 1e-5),
  initializerRange: deviation('initializer_range', 0.02),
  scaleAttnWeights: flag('scale_attn_weights', true),
  scaleAttnByInverseLayerIdx: flag('scale_attn_by_inverse_layer_idx', false),
  useCache: flag('use_cache', true),
  tieWordEmbeddings: flag('tie_word_embeddings', true),
  bosTokenId: tokenId('bos_token_id', 50256),
  eosTokenId: tokenIds('eos_token_id', 50256),
  padTokenId: tokenId('pad_token_id', undefined),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

export const Gpt2Config: ConfigFormat<Gpt2Config> = defineConfig<Gpt2Config, StoredFields>({
  modelType: 'gpt2',
  key: 'text_config',
  fields,
  derived: ['isEncoderDecoder'],
  derive(stored, { json, where }) {
    requireWholeHeads(stored.hiddenSize, stored.numAttentionHeads, where);
    if (ownValue(json, 'add_cross_attention') === true)
      throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Cross-attention is not supported', {
        expected: 'false',
        got: 'true',
        where: `${where}.add_cross_attention`,
      });
    return {
      ...stored,
      isEncoderDecoder: false,
      intermediateSize: stored.intermediateSize ?? 4 * stored.hiddenSize,
    };
  },
});

export const gpt2Family: TextFamily<Gpt2Config> = {
  format: Gpt2Config,
  sizes: ({ numHiddenLayers: layers, maxPositionEmbeddings: maxPositions, tieWordEmbeddings: hasTiedHead }) => ({
    layers,
    maxPositions,
    hasTiedHead,
  }),
};
