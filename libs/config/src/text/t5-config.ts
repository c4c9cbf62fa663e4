import { Blip2Error } from '@blip2/interfaces';

import { type Activation, activations } from '../schema/activation.ts';
import { type ConfigFormat, type ConfigSource, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import {
  activation,
  count,
  deviation,
  epsilon,
  flag,
  optional,
  probability,
  text,
  tokenId,
  tokenIds,
} from '../schema/field-types.ts';
import { ownValue, show } from '../schema/json-values.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from '../schema/limits.ts';
import type { CommonTextFields, TextConfigMembers } from './text-config-members.ts';
import type { TextFamily } from './text-family.ts';

interface T5Fields extends CommonTextFields {
  readonly dModel: number;
  /** Width of one head, which may differ from `dModel / numHeads`. */
  readonly dKv: number;
  readonly dFf: number;
  readonly numLayers: number;
  /** Default: `numLayers`. */
  readonly numDecoderLayers: number;
  readonly numHeads: number;
  readonly relativeAttentionNumBuckets: number;
  readonly relativeAttentionMaxDistance: number;
  readonly layerNormEpsilon: number;
  /** For example `relu` or `gated-gelu`. The defaults of `denseActFn` and `isGatedAct` derive from it. */
  readonly feedForwardProj: string;
  /**
   * Activation of the feed-forward layers. A stored value takes precedence over `feedForwardProj`, in which `gated-
   * gelu` means the tanh approximation.
   */
  readonly denseActFn: Activation;
  readonly isGatedAct: boolean;
  /** Whether the decoder's output is scaled by `dModel ** -0.5` before the head. */
  readonly scaleDecoderOutputs: boolean;
  readonly dropoutRate: number;
  readonly classifierDropout: number;
  readonly initializerFactor: number;
  readonly useCache: boolean;
  readonly decoderStartTokenId: number | undefined;
}

/** The T5 language model (HF `T5Config`), encoder-decoder. */
export interface T5Config extends T5Fields, TextConfigMembers {
  readonly modelType: 't5';
  readonly isEncoderDecoder: true;
}

type Derived = 'numDecoderLayers' | 'denseActFn' | 'isGatedAct' | 'scaleDecoderOutputs';
type StoredFields = Omit<T5Fields, Derived> & { readonly [K in Derived]: T5Fields[K] | undefined };

/** Names on disk, defaults and bounds. Source: `models/t5/configuration_t5.py`, transformers 5.18. */
const fields: FieldTable<StoredFields> = {
  vocabSize: count('vocab_size', 32128, MAX_VOCABULARY),
  dModel: count('d_model', 512, MAX_WIDTH, { aliases: ['hidden_size'] }),
  dKv: count('d_kv', 64, MAX_WIDTH, { aliases: ['head_dim'] }),
  dFf: count('d_ff', 2048, MAX_WIDTH),
  numLayers: count('num_layers', 6, MAX_LAYERS, { aliases: ['num_hidden_layers'] }),
  numDecoderLayers: optional(count('num_decoder_layers', 6, MAX_LAYERS)),
  numHeads: count('num_heads', 8, MAX_HEADS, { aliases: ['num_attention_heads'] }),
  // The encoder halves the buckets twice (direction, then exact and logarithmic distances), so it needs at least 4.
  relativeAttentionNumBuckets: count('relative_attention_num_buckets', 32, MAX_POSITIONS, { low: 4 }),
  relativeAttentionMaxDistance: count('relative_attention_max_distance', 128, MAX_POSITIONS),
  layerNormEpsilon: epsilon('layer_norm_epsilon', 1e-6),
  feedForwardProj: text('feed_forward_proj', 'relu'),
  denseActFn: optional(activation('dense_act_fn', 'relu')),
  isGatedAct: optional(flag('is_gated_act', false)),
  scaleDecoderOutputs: optional(flag('scale_decoder_outputs', true)),
  dropoutRate: probability('dropout_rate', 0.1),
  classifierDropout: probability('classifier_dropout', 0),
  initializerFactor: deviation('initializer_factor', 1),
  useCache: flag('use_cache', true),
  bosTokenId: tokenId('bos_token_id', undefined),
  eosTokenId: tokenIds('eos_token_id', 1),
  padTokenId: tokenId('pad_token_id', 0),
  decoderStartTokenId: tokenId('decoder_start_token_id', undefined),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

/**
 * `relu` → plain relu; `gated-silu` → gated silu; `gated-gelu` → gated gelu_new, as in HF for backward compatibility.
 */
function parseFeedForward(proj: string, where: string): { denseActFn: Activation | undefined; isGatedAct: boolean } {
  const [first, second, ...rest] = proj.split('-');
  if (rest.length > 0 || (second !== undefined && first !== 'gated')) {
    throw new Blip2Error('INVALID_CONFIG', 'feed_forward_proj has an invalid value', {
      expected: 'an activation, or "gated-" and an activation',
      got: show(proj),
      where,
    });
  }
  const name = proj === 'gated-gelu' ? 'gelu_new' : (second ?? first);
  return { denseActFn: activations.find((known) => known === name), isGatedAct: first === 'gated' };
}

function deriveT5(values: StoredFields, { json, where }: ConfigSource): Omit<T5Config, 'modelType' | 'json'> {
  if (ownValue(json, 'is_encoder_decoder') === false) {
    throw new Blip2Error('INVALID_CONFIG', 'A T5 without its encoder is not supported', {
      expected: 'true',
      got: 'false',
      where: `${where}.is_encoder_decoder`,
    });
  }
  const feedForward = parseFeedForward(values.feedForwardProj, `${where}.feed_forward_proj`);
  const denseActFn = values.denseActFn ?? feedForward.denseActFn;
  if (denseActFn === undefined) {
    throw new Blip2Error('INVALID_CONFIG', 'feed_forward_proj names an unknown activation', {
      expected: `one of ${activations.join(', ')}`,
      got: show(values.feedForwardProj),
      where: `${where}.feed_forward_proj`,
    });
  }
  return {
    ...values,
    isEncoderDecoder: true,
    hiddenSize: values.dModel,
    numDecoderLayers: values.numDecoderLayers ?? values.numLayers,
    denseActFn,
    isGatedAct: values.isGatedAct ?? feedForward.isGatedAct,
    // HF scales unless `tie_word_embeddings` is false, as it is for T5 v1.1 and Flan-T5.
    scaleDecoderOutputs: values.scaleDecoderOutputs ?? ownValue(json, 'tie_word_embeddings') !== false,
  };
}

/** Half of the decoder's buckets are exact distances; the others grow logarithmically up to the largest distance. */
function requireBuckets(
  {
    relativeAttentionNumBuckets: buckets,
    relativeAttentionMaxDistance: distance,
  }: Pick<StoredFields, 'relativeAttentionNumBuckets' | 'relativeAttentionMaxDistance'>,
  where: string,
): void {
  const exact = Math.floor(buckets / 2);
  if (distance > exact) return;
  throw new Blip2Error('INVALID_CONFIG', 'relative_attention_max_distance is too small', {
    expected: `more than ${exact} for ${buckets} buckets`,
    got: String(distance),
    where,
  });
}

export const T5Config: ConfigFormat<T5Config> = defineConfig<T5Config, StoredFields>({
  modelType: 't5',
  key: 'text_config',
  fields,
  derived: ['isEncoderDecoder', 'hiddenSize'],
  derive: deriveT5,
  check: requireBuckets,
  storedOverrides: ({ hiddenSize, ...overrides }) =>
    hiddenSize === undefined ? overrides : { dModel: hiddenSize, ...overrides },
});

export const t5Family: TextFamily<T5Config> = {
  format: T5Config,
  // A tied head is one of several copies of the token embedding, all of which are counted.
  sizes: ({ numLayers: layers }) => ({ layers, hasTiedHead: false }),
  // HF `_get_decoder_start_token_id`.
  decoderStartTokenId: ({ decoderStartTokenId, bosTokenId }) => decoderStartTokenId ?? bosTokenId,
  licences: [{ repositories: /flan-?t5/i, note: 'The Flan-T5 language model in it is licensed under Apache-2.0' }],
};
