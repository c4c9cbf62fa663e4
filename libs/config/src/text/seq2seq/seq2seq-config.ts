/** What the configurations of encoder-decoder models with relative position biases have in common: T5 and its kin. */
import { Blip2Error } from '@blip2/interfaces';

import { type Activation, activations } from '../../schema/activation.ts';
import { type ConfigFormat, type ConfigSource, defineConfig } from '../../schema/define-config.ts';
import type { FieldTable } from '../../schema/field-table.ts';
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
} from '../../schema/field-types.ts';
import { type JsonObject, ownValue, show } from '../../schema/json-values.ts';
import { MAX_HEADS, MAX_LAYERS, MAX_POSITIONS, MAX_VOCABULARY, MAX_WIDTH } from '../../schema/limits.ts';
import type { CommonTextFields, TextConfigMembers } from '../text-config-members.ts';
import type { TextFamily } from '../text-family.ts';

interface Seq2SeqFields extends CommonTextFields {
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

/** The members of every configuration of the kind. */
export interface Seq2SeqConfig extends Seq2SeqFields, TextConfigMembers {
  readonly isEncoderDecoder: true;
  /** Whether every layer has a relative position bias of its own. If not, that of the first layer is used by all. */
  readonly hasBiasInEveryLayer: boolean;
}

type Derived = 'numDecoderLayers' | 'denseActFn' | 'isGatedAct' | 'scaleDecoderOutputs';
type StoredFields = Omit<Seq2SeqFields, Derived> & { readonly [K in Derived]: Seq2SeqFields[K] | undefined };

/** The defaults in which families differ. */
export interface Seq2SeqDefaults {
  readonly vocabSize: number;
  readonly dFf: number;
  readonly layers: number;
  readonly heads: number;
  readonly feedForwardProj: string;
  readonly decoderStartTokenId?: number;
}

/** The defaults of HF's `MT5Config` and `UMT5Config`. */
export const MULTILINGUAL_DEFAULTS: Seq2SeqDefaults = {
  vocabSize: 250112,
  dFf: 1024,
  layers: 8,
  heads: 6,
  feedForwardProj: 'gated-gelu',
  decoderStartTokenId: 0,
};

/** Names on disk, defaults and bounds. */
function seq2SeqFields(defaults: Seq2SeqDefaults): FieldTable<StoredFields> {
  const { layers, heads } = defaults;
  return {
    vocabSize: count('vocab_size', defaults.vocabSize, MAX_VOCABULARY),
    dModel: count('d_model', 512, MAX_WIDTH, { aliases: ['hidden_size'] }),
    dKv: count('d_kv', 64, MAX_WIDTH, { aliases: ['head_dim'] }),
    dFf: count('d_ff', defaults.dFf, MAX_WIDTH),
    numLayers: count('num_layers', layers, MAX_LAYERS, { aliases: ['num_hidden_layers'] }),
    numDecoderLayers: optional(count('num_decoder_layers', layers, MAX_LAYERS)),
    numHeads: count('num_heads', heads, MAX_HEADS, { aliases: ['num_attention_heads'] }),
    // The encoder halves the buckets twice (direction, then exact and logarithmic distances), so it needs at least 4.
    relativeAttentionNumBuckets: count('relative_attention_num_buckets', 32, MAX_POSITIONS, { low: 4 }),
    relativeAttentionMaxDistance: count('relative_attention_max_distance', 128, MAX_POSITIONS),
    layerNormEpsilon: epsilon('layer_norm_epsilon', 1e-6),
    feedForwardProj: text('feed_forward_proj', defaults.feedForwardProj),
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
    decoderStartTokenId: tokenId('decoder_start_token_id', defaults.decoderStartTokenId),
    outputHiddenStates: flag('output_hidden_states', false),
    outputAttentions: flag('output_attentions', false),
  };
}

export interface Seq2SeqDefinition<C extends Seq2SeqConfig> {
  readonly modelType: C['modelType'];
  readonly defaults: Seq2SeqDefaults;
  /** Whether the output of the decoder is scaled before the head, if the file does not store it. */
  scalesDecoderOutputs(json: JsonObject): boolean;
  /** Whether a stored `scale_decoder_outputs` may differ. Default false: HF does not read it. */
  readonly storesScale?: boolean;
  /** Whether every layer has a relative position bias of its own. Default false. */
  readonly hasBiasInEveryLayer?: boolean;
}

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

type DerivedMembers = Omit<Seq2SeqConfig, 'modelType' | 'json'>;

function derive(
  {
    modelType,
    scalesDecoderOutputs,
    storesScale = false,
    hasBiasInEveryLayer = false,
  }: Seq2SeqDefinition<Seq2SeqConfig>,
  values: StoredFields,
  { json, where }: ConfigSource,
): DerivedMembers {
  if (ownValue(json, 'is_encoder_decoder') === false) {
    throw new Blip2Error('INVALID_CONFIG', `A ${modelType} model without its encoder is not supported`, {
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
  const scaled = scalesDecoderOutputs(json);
  const scaleDecoderOutputs = values.scaleDecoderOutputs ?? scaled;
  if (!storesScale && scaleDecoderOutputs !== scaled) {
    throw new Blip2Error('INVALID_CONFIG', `scale_decoder_outputs is fixed in ${modelType}`, {
      expected: String(scaled),
      got: String(scaleDecoderOutputs),
      where: `${where}.scale_decoder_outputs`,
    });
  }
  return {
    ...values,
    isEncoderDecoder: true,
    hiddenSize: values.dModel,
    numDecoderLayers: values.numDecoderLayers ?? values.numLayers,
    denseActFn,
    isGatedAct: values.isGatedAct ?? feedForward.isGatedAct,
    scaleDecoderOutputs,
    hasBiasInEveryLayer,
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

/** Defines the configuration of an encoder-decoder model with relative position biases. */
export function defineSeq2SeqConfig<C extends Seq2SeqConfig>(definition: Seq2SeqDefinition<C>): ConfigFormat<C> {
  type Values = Omit<C, 'modelType' | 'json'>;
  return defineConfig<C, StoredFields>({
    modelType: definition.modelType,
    key: 'text_config',
    fields: seq2SeqFields(definition.defaults),
    derived: ['isEncoderDecoder', 'hiddenSize', 'hasBiasInEveryLayer'],
    // `C` has these members and no others.
    derive: (stored, source) => derive(definition, stored, source) as unknown as Values,
    check: requireBuckets,
    storedOverrides: ({ hiddenSize, ...overrides }) =>
      (hiddenSize === undefined ? overrides : { dModel: hiddenSize, ...overrides }) as Partial<C>,
  });
}

/** What every family of the kind declares. */
export function seq2SeqFamily<C extends Seq2SeqConfig>(format: ConfigFormat<C>): TextFamily<C> {
  return {
    format,
    // A tied head is one of several copies of the token embedding, all of which are counted.
    sizes: ({ numLayers: layers }) => ({ layers, hasTiedHead: false }),
    // HF `_get_decoder_start_token_id`.
    decoderStartTokenId: ({ decoderStartTokenId, bosTokenId }) => decoderStartTokenId ?? bosTokenId,
  };
}
