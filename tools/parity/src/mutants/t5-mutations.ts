import { floatsOf, idsOf } from './feed-edit.ts';
import { nodesNamed } from './graph-edit.ts';
import { type Feed, LANGUAGE_KINDS, MODEL_KINDS, type MutableConfig, type Mutation } from './mutation.ts';
import { scaleTensors, swapTensors, tensorsNamed } from './tensor-edit.ts';

/** The case `t5`: heads of 12, and the buckets of its configuration. */
const HEAD_SIZE = 12;
const BUCKETS = 32;
const MAX_DISTANCE = 128;
/** Content of the case's `generation_config.json`, which Transformers does not apply. */
const GENERATION_CONFIG = { maxNewTokens: 5, numBeams: 2, repetitionPenalty: 1.5 } as const;
const END_TOKEN = 1;
/** Width of the cases `mt5` and `umt5`. */
const MT5_WIDTH = 20;
const t5 = { case: 't5', reaches: LANGUAGE_KINDS } as const;

export const t5Mutations: readonly Mutation[] = [
  {
    ...t5,
    name: 't5: tanh gelu instead of erf gelu',
    config: ({ text_config: c = {} }) => void (c['dense_act_fn'] = 'gelu_new'),
  },
  {
    ...t5,
    name: 't5: output scaled by d_model**-0.5',
    config: ({ text_config: c = {} }) => void (c['scale_decoder_outputs'] = true),
  },
  {
    ...t5,
    name: 't5: head tied to the embedding',
    tensors: (tensors) => {
      for (const [, shared] of tensorsNamed(tensors, /\.shared\.weight$/))
        tensors.set('language_model.lm_head.weight', shared);
    },
  },
  {
    ...t5,
    name: 't5: scores scaled',
    tensors: (tensors) => scaleTensors(tensors, /Attention\.q\.weight$/, HEAD_SIZE ** -0.5),
  },
  {
    ...t5,
    name: 't5: decoder buckets bidirectional',
    feed: () => (feed, graphName) => graphName === 't5_decoder' && bucketsOfBothSides(feed),
  },
  {
    ...t5,
    name: 't5: encoder buckets causal',
    feed: () => (feed, graphName) => graphName === 't5_encoder' && bucketsOfThePast(feed),
  },
  {
    ...t5,
    name: 't5: max_distance 64 instead of 128',
    config: ({ text_config: c = {} }) => void (c['relative_attention_max_distance'] = MAX_DISTANCE / 2),
  },
  {
    ...t5,
    name: 't5: norm subtracts the mean',
    graph: (model) => {
      for (const node of nodesNamed(model, /\/SimplifiedLayerNormalization$/)) node.opType = 'LayerNormalization';
    },
  },
  {
    ...t5,
    name: 't5: epsilon 1e-5 instead of 1e-6',
    config: ({ text_config: c = {} }) => void (c['layer_norm_epsilon'] = 1e-5),
  },
  { ...t5, name: 't5: wi_0 and wi_1 swapped', tensors: (tensors) => swapTensors(tensors, 'wi_0', 'wi_1') },
  {
    ...t5,
    name: 't5: decoder starts with the end token',
    config: ({ text_config: c = {} }) => void (c['decoder_start_token_id'] = END_TOKEN),
  },
  {
    ...t5,
    name: 't5: padding attended to',
    feed: () => (feed, graphName) =>
      floatsOf(feed, graphName === 't5_encoder' ? 'attention_bias' : 'cross_bias')?.data.fill(0),
  },
  {
    ...t5,
    name: 'generate: generation_config.json applied',
    reaches: ['generate'],
    call: (call) => ({ ...call, options: { ...GENERATION_CONFIG, ...call.options } }),
  },
  { case: 't5', reaches: MODEL_KINDS, name: 'weights rounded to float16', storedAs: 'float16' },
];

/** Mistakes in the variants of T5, each a language model alone. */
export const t5VariantMutations: readonly Mutation[] = [
  {
    ...variant('mt5', 'no relative position bias'),
    tensors: (tensors) => scaleTensors(tensors, /block\.0\..*relative_attention_bias\.weight$/, 0),
  },
  {
    ...variant('mt5', 'gelu without the approximation'),
    config: (c: MutableConfig) => void Object.assign(c, { dense_act_fn: 'gelu' }),
  },
  {
    ...variant('mt5', 'head tied to the embedding'),
    tensors: (tensors) => void tensors.delete('lm_head.weight'),
  },
  {
    ...variant('mt5', 'output scaled by d_model**-0.5'),
    tensors: (tensors) => scaleTensors(tensors, /^lm_head\.weight$/, MT5_WIDTH ** -0.5),
  },
  {
    ...variant('mt5', 'max_distance 18 instead of 9'),
    config: (c: MutableConfig) => void Object.assign(c, { relative_attention_max_distance: 18 }),
  },
  {
    ...variant('umt5', "the first layer's relative position bias in all layers"),
    tensors(tensors) {
      for (const [name] of tensorsNamed(tensors, /block\.[1-9]\d*\..*relative_attention_bias\.weight$/)) {
        const first = tensors.get(name.replace(/block\.\d+/, 'block.0'));
        if (first) tensors.set(name, first);
      }
    },
  },
  {
    ...variant('umt5', 'no relative position bias after the first layer'),
    tensors: (tensors) => scaleTensors(tensors, /block\.[1-9]\d*\..*relative_attention_bias\.weight$/, 0),
  },
  {
    ...variant('umt5', 'output not scaled'),
    tensors: (tensors) => scaleTensors(tensors, /decoder\.final_layer_norm\.weight$/, Math.sqrt(MT5_WIDTH)),
  },
  {
    ...variant('umt5', 'another activation'),
    config: (c: MutableConfig) => void Object.assign(c, { dense_act_fn: 'gelu_new' }),
  },
  { ...variant('umt5', 'wi_0 and wi_1 swapped'), tensors: (tensors) => swapTensors(tensors, 'wi_0', 'wi_1') },
];

function variant(family: string, mistake: string): Pick<Mutation, 'name' | 'case' | 'reaches'> {
  return {
    name: `${family}: ${mistake}`,
    case: family,
    reaches: ['language_model_forward', 'language_model_generate'],
  };
}

/**
 * The bucket of a key that lies `far` before the query, with `buckets` for that side: half of them exact, then
 * logarithmic.
 */
function bucketOf(far: number, buckets: number): number {
  const exact = buckets / 2;
  if (far < exact) return far;
  return Math.min(exact + Math.trunc((Math.log(far / exact) / Math.log(MAX_DISTANCE / exact)) * exact), buckets - 1);
}

/** The decoder's exact buckets are distances: half as many of them remain exact. */
function bucketsOfBothSides(feed: Feed): void {
  const ids = idsOf(feed, 'relative_buckets');
  ids?.data.forEach((id, index) => (ids.data[index] = BigInt(bucketOf(Number(id), BUCKETS / 2))));
}

/** The encoder's keys after the query share the bucket of distance 0. */
function bucketsOfThePast(feed: Feed): void {
  const ids = idsOf(feed, 'relative_buckets');
  const keys = ids?.dims[1] ?? 1;
  ids?.data.forEach(
    (_, index) => (ids.data[index] = BigInt(bucketOf(Math.max(Math.floor(index / keys) - (index % keys), 0), BUCKETS))),
  );
}
