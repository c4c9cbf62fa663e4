/**
 * T5 for other runtimes, in the layout of optimum and transformers.js. The decoder computes the keys and values of its
 * cross-attention for the encoder positions that its past does not have yet: all of them with an empty past, none
 * later.
 */
import type { Seq2SeqConfig } from '@blip2/config';
import { f32, i64, type TensorSpec } from '@blip2/interfaces';
import {
  assumeAxes,
  buildGraph,
  cast,
  type F32,
  gather,
  type Graph,
  splitHeads,
  type Value,
  type Weights,
  type WeightSource,
  writeSection,
  type WrittenModel,
} from '@blip2/onnx';
import type { ExportedGraph, PartWeights } from '@blip2/part';

import { DECODING } from '../decoder-outputs.ts';
import { relativeBucket } from '../seq2seq/relative-buckets.ts';
import { buildT5Decoder } from '../seq2seq/t5-decoder-graph.ts';
import { buildT5Cross, buildT5Embedding, buildT5Encoder } from '../seq2seq/t5-encoder-graph.ts';
import { DECODER, EMBED_TOKENS } from './merged-decoder.ts';
import { appended, biasOf, integer, keysSpec, lengthOf, range, subtract, TOTAL, unsqueeze } from './sequence-values.ts';

const ENCODER = 'encoder_model';
const KINDS = ['key', 'value'] as const;

/** The graphs of a T5. */
export function exportT5(config: Seq2SeqConfig, weights: PartWeights): readonly ExportedGraph[] {
  const { store, original = store, prefix } = weights;
  return [
    { name: EMBED_TOKENS, model: buildT5Embedding(config, original, prefix) },
    { name: ENCODER, model: encoder(config, weights) },
    { name: DECODER, model: decoder(config, weights) },
  ];
}

function encoder(config: Seq2SeqConfig, { store, prefix }: PartWeights): WrittenModel {
  const states = f32('batch', 'source', config.dModel);
  const signature = {
    inputs: { inputs_embeds: states, attention_mask: i64('batch', 'source') },
    outputs: { last_hidden_state: states },
  };
  return buildGraph({ name: ENCODER, signature, weights: store }, (g, { inputs_embeds, attention_mask }, weights) => {
    const positions = range(g, integer(g, 0), lengthOf(g, inputs_embeds, 1), 'source');
    const build = (source: WeightSource): ReturnType<typeof buildT5Encoder> =>
      buildT5Encoder(config, source, prefix, { hiddenStates: false, attentions: false });
    const { last_hidden_state } = writeSection(weights, build, {
      inputs_embeds,
      relative_buckets: buckets(g, config, true, positions, positions),
      attention_bias: paddingBias(g, attention_mask),
    });
    return { last_hidden_state };
  });
}

function decoder(config: Seq2SeqConfig, { store, prefix }: PartWeights): WrittenModel {
  const { dModel, dKv, numHeads, numDecoderLayers: layers, vocabSize } = config;
  const all = (name: string, own: string, source: string): Record<string, TensorSpec<'float32'>> =>
    Object.fromEntries(
      each(layers, (layer, kind) => [
        [`${name}.${layer}.decoder.${kind}`, keysSpec(numHeads, own, dKv)],
        [`${name}.${layer}.encoder.${kind}`, keysSpec(numHeads, source, dKv)],
      ]),
    );
  const signature = {
    inputs: {
      inputs_embeds: f32('batch', 'sequence', dModel),
      encoder_hidden_states: f32('batch', 'source', dModel),
      encoder_attention_mask: i64('batch', 'source'),
      ...all('past_key_values', 'past', 'past_source'),
    },
    outputs: { logits: f32('batch', 'sequence', vocabSize), ...all('present', TOTAL, 'source') },
  };
  return buildGraph({ name: DECODER, signature, weights: store }, (g, inputs, weights) => {
    const { inputs_embeds, encoder_hidden_states, encoder_attention_mask } = inputs;
    const values: Readonly<Record<string, Value>> = inputs;
    const past = (layer: number, kind: string): F32 => values[`past_key_values.${layer}.${kind}`] as F32;
    const build = (source: WeightSource): ReturnType<typeof buildT5Decoder> =>
      buildT5Decoder(config, source, prefix, DECODING);
    const cross = crossKeysAndValues(g, config, { weights, prefix }, encoder_hidden_states, past);
    const sequence = lengthOf(g, inputs_embeds, 1);
    const pastLength = lengthOf(g, past(0, 'decoder.key'), 2);
    const total: Value<'int64'> = g.node('Add', [pastLength, sequence], { type: 'int64', axes: [] });
    const queries = range(g, pastLength, total, 'sequence');
    const keys = range(g, integer(g, 0), total, TOTAL);
    const outputs = writeSection(weights, build, {
      inputs_embeds,
      relative_buckets: buckets(g, config, false, queries, keys),
      attention_bias: causalBias(g, queries, keys, inputs_embeds),
      cross_bias: assumeAxes(
        expandSequence(g, paddingBias(g, encoder_attention_mask), sequence),
        ['batch', 1, 'sequence', 'source'],
        'one row for every position',
      ),
      logit_positions: range(g, integer(g, 0), sequence, 'scored'),
      ...Object.fromEntries(
        each(layers, (layer, kind) => [
          [`past_${kind}.${layer}`, past(layer, `decoder.${kind}`)],
          [`cross_${kind}.${layer}`, cross(layer, kind)],
        ]),
      ),
    } as never) as { readonly logits: F32 } & Readonly<Record<string, F32>>;
    const own = (layer: number, kind: string): F32 =>
      appended(g, past(layer, `decoder.${kind}`), splitHeads(g, outputs[`new_${kind}.${layer}`] as F32, numHeads));
    return {
      logits: assumeAxes(outputs.logits, ['batch', 'sequence', vocabSize], 'every position has logits'),
      ...Object.fromEntries(
        each(layers, (layer, kind) => [
          [`present.${layer}.decoder.${kind}`, own(layer, kind)],
          [`present.${layer}.encoder.${kind}`, cross(layer, kind)],
        ]),
      ),
    };
  });
}

function each<R>(layers: number, entries: (layer: number, kind: 'key' | 'value') => readonly R[]): R[] {
  return Array.from({ length: layers }, (_, layer) => layer).flatMap((layer) =>
    KINDS.flatMap((kind) => entries(layer, kind)),
  );
}

/** Keys and values of all encoder positions: those of the past, and those computed for the rest. */
function crossKeysAndValues(
  g: Graph,
  config: Seq2SeqConfig,
  { weights, prefix }: { readonly weights: Weights; readonly prefix: string },
  states: F32,
  past: (layer: number, kind: string) => F32,
): (layer: number, kind: 'key' | 'value') => F32 {
  const { numHeads, dKv, dModel } = config;
  const known = lengthOf(g, past(0, 'encoder.key'), 2);
  // `ReduceMax` of onnxruntime, with which int8 activations are scaled, returns another shape if there are no rows: the
  // last row is then computed again and dropped.
  const { finder } = weights.shared;
  const needsRow = buildT5Cross(config, finder, prefix).graph.nodes.some(({ opType }) => opType === 'ReduceMax');
  const last = subtract(g, lengthOf(g, states, 1), integer(g, 1));
  const start: Value<'int64'> = needsRow ? g.node('Min', [known, last], { type: 'int64', axes: [] }) : known;
  const build = (source: WeightSource): ReturnType<typeof buildT5Cross> => buildT5Cross(config, source, prefix);
  const computed: Readonly<Record<string, Value>> = writeSection(weights, build, {
    encoder_hidden_states: sliceFrom(g, states, 1, start, ['batch', 'source', dModel]),
  });
  const fresh = (name: string): F32 => {
    const rows = computed[name] as F32;
    return needsRow ? sliceFrom(g, rows, 2, subtract(g, known, start), rows.axes) : rows;
  };
  const joined = new Map<string, F32>();
  return (layer, kind) => {
    const name = `cross_${kind}.${layer}`;
    const both = joined.get(name) ?? appended(g, past(layer, `encoder.${kind}`), fresh(name));
    joined.set(name, both);
    return assumeAxes(both, ['batch', numHeads, 'source', dKv], 'past and computed positions are all');
  };
}

/** The entries of an axis from `start` on. */
function sliceFrom(g: Graph, x: F32, axis: number, start: Value<'int64'>, axes: F32['axes']): F32 {
  const [end, at] = [Number.MAX_SAFE_INTEGER, axis].map((number) => g.constant('int64', [1], [number]));
  return g.node('Slice', [x, unsqueeze(g, start, [0], [1]), end, at], { type: 'float32', axes });
}

/** The bucket of every pair of positions, `[queries, keys]`, from a table of all distances that have their own. */
function buckets(
  g: Graph,
  { relativeAttentionNumBuckets: numBuckets, relativeAttentionMaxDistance: maxDistance }: Seq2SeqConfig,
  bidirectional: boolean,
  queries: Value<'int64'>,
  keys: Value<'int64'>,
): Value<'int64'> {
  const options = { numBuckets, maxDistance, bidirectional };
  const table = Array.from({ length: 2 * maxDistance + 1 }, (_, index) => relativeBucket(index - maxDistance, options));
  const [rows, columns] = [queries.axes[0] ?? 1, keys.axes[0] ?? 1];
  const distances: Value<'int64'> = g.node('Sub', [keys, unsqueeze(g, queries, [1], [rows, 1])], {
    type: 'int64',
    axes: [rows, columns],
  });
  const shifted: Value<'int64'> = subtract(g, distances, integer(g, -maxDistance));
  const bound = (operator: 'Max' | 'Min', x: Value<'int64'>, limit: number): Value<'int64'> =>
    g.node(operator, [x, integer(g, limit)], { type: 'int64', axes: x.axes });
  const rowsOfTable = bound('Min', bound('Max', shifted, 0), 2 * maxDistance);
  return gather(g, g.constant('int64', [table.length], table), rowsOfTable, 0) as Value<'int64'>;
}

/** `[batch, source]` → `[batch, 1, 1, source]`. */
function paddingBias(g: Graph, mask: Value<'int64'>): F32 {
  return biasOf(g, unsqueeze(g, cast(g, mask, 'bool'), [1, 2], ['batch', 1, 1, 'source']));
}

/** The bias of a causal decoder without padding, `[batch, 1, sequence, past+sequence]`. */
function causalBias(g: Graph, queries: Value<'int64'>, keys: Value<'int64'>, embeds: F32): F32 {
  const causal: Value<'bool'> = g.node('LessOrEqual', [keys, unsqueeze(g, queries, [1], ['sequence', 1])], {
    type: 'bool',
    axes: ['sequence', TOTAL],
  });
  const bias = unsqueeze(g, biasOf(g, causal), [0, 1], [1, 1, 'sequence', TOTAL]);
  const batch = unsqueeze(g, lengthOf(g, embeds, 0), [0], [1]);
  return expandTo(g, bias, batch, [1, 1, 1], ['batch', 1, 'sequence', TOTAL]);
}

function expandSequence(g: Graph, bias: F32, sequence: Value<'int64'>): F32 {
  const ones = g.constant('int64', [2], [1, 1]);
  const shape: Value<'int64'> = g.node(
    'Concat',
    [ones, unsqueeze(g, sequence, [0], [1]), g.constant('int64', [1], [1])],
    { type: 'int64', axes: [4] },
    { attributes: { axis: { int: 0 } } },
  );
  return g.node('Expand', [bias, shape], { type: 'float32', axes: bias.axes });
}

function expandTo(g: Graph, x: F32, first: Value<'int64'>, rest: readonly number[], axes: F32['axes']): F32 {
  const shape: Value<'int64'> = g.node(
    'Concat',
    [first, g.constant('int64', [rest.length], rest)],
    { type: 'int64', axes: [rest.length + 1] },
    { attributes: { axis: { int: 0 } } },
  );
  return g.node('Expand', [x, shape], { type: 'float32', axes });
}
