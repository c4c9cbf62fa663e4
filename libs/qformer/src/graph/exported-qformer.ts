/**
 * The Q-Former for other runtimes: its query tokens, the embedding of texts and the masks are part of the graph.
 */
import type { Blip2QFormerConfig } from '@blip2/config';
import { Blip2Error, f32, i64, type TensorSpec } from '@blip2/interfaces';
import {
  assumeAxes,
  buildGraph,
  cast,
  concat,
  expandBatch,
  type F32,
  type Graph,
  MASKED,
  slice,
  type Value,
  type Weights,
  type WeightSource,
  writeSection,
  type WrittenModel,
} from '@blip2/onnx';
import type { PartWeights } from '@blip2/part';

import type { QueryTokens } from '../query-tokens.ts';
import { buildQFormer, hasRelativePositions } from './qformer-graph.ts';
import { PLAIN_REQUEST, type QFormerRequest } from './qformer-request.ts';
import { buildTextEmbeddings } from './text-embeddings-graph.ts';

/** What a Q-Former is exported from. */
export interface ExportedQFormer {
  readonly config: Blip2QFormerConfig;
  readonly weights: PartWeights;
  readonly queryTokens: QueryTokens;
  /** Path of the first norm. */
  readonly norm?: string;
  /** Weights of the token and position embeddings. */
  readonly embeddings?: PartWeights;
}

/** Names of the inputs of a text. */
export interface TextNames {
  readonly ids: string;
  readonly mask: string;
}

/**
 * Queries over an image: `encoder_hidden_states [batch, patches, …]` → `last_hidden_state [batch, queries, hidden]`.
 */
export function exportQueries(part: ExportedQFormer): WrittenModel {
  const { config, weights, queryTokens } = expectExportable(part);
  const { hiddenSize, encoderHiddenSize } = config;
  const signature = {
    inputs: { encoder_hidden_states: f32('batch', 'patches', encoderHiddenSize) },
    outputs: { last_hidden_state: f32('batch', queryTokens.dims[1], hiddenSize) },
  };
  return buildGraph(
    { name: 'qformer_model', signature, weights: weights.store },
    (g, { encoder_hidden_states }, own) => {
      const query_embeds = positions(queries(g, queryTokens, encoder_hidden_states));
      const { last_hidden_state } = writeSection(own, builderOf(part, {}), { query_embeds, encoder_hidden_states });
      return {
        last_hidden_state: assumeAxes(last_hidden_state, ['batch', queryTokens.dims[1], hiddenSize], 'queries'),
      };
    },
  );
}

/** A text alone: ids and mask `[batch, sequence]` → `last_hidden_state [batch, sequence, hidden]`. */
export function exportText(part: ExportedQFormer, names: TextNames): WrittenModel {
  const { config, weights } = expectExportable(part);
  const signature = {
    inputs: textInputs(names),
    outputs: { last_hidden_state: f32('batch', 'sequence', config.hiddenSize) },
  };
  return buildGraph({ name: 'qformer_text_model', signature, weights: weights.store }, (g, inputs, own) => {
    const { embeddings, mask } = text(g, own, part, inputs, names);
    const { last_hidden_state } = writeSection(own, builderOf(part, { queryLength: 0, masked: true }), {
      query_embeds: positions(embeddings),
      attention_bias: maskBias(g, mask),
    });
    return { last_hidden_state: assumeAxes(last_hidden_state, ['batch', 'sequence', config.hiddenSize], 'text') };
  });
}

/**
 * Queries over an image together with a text, which attend to each other; the states of the queries are returned,
 * `[batch, queries, hidden]`.
 */
export function exportQueriesAndText(part: ExportedQFormer, name: string, names: TextNames): WrittenModel {
  const { config, weights, queryTokens } = expectExportable(part);
  const [, count] = queryTokens.dims;
  const { hiddenSize, encoderHiddenSize } = config;
  const signature = {
    inputs: { encoder_hidden_states: f32('batch', 'patches', encoderHiddenSize), ...textInputs(names) },
    outputs: { last_hidden_state: f32('batch', count, hiddenSize) },
  };
  return buildGraph({ name, signature, weights: weights.store }, (g, inputs, own) => {
    const { embeddings, mask } = text(g, own, part, inputs, names);
    const image: F32 = inputs.encoder_hidden_states;
    const query_embeds = positions(concat(g, [queries(g, queryTokens, image), embeddings], 1));
    const ones = g.constant('int64', [1, count], new Array<number>(count).fill(1));
    const both = concat(g, [expandBatch(g, ones, mask), mask], 1);
    const { last_hidden_state } = writeSection(own, builderOf(part, { queryLength: count, masked: true }), {
      query_embeds,
      encoder_hidden_states: image,
      attention_bias: maskBias(g, both),
    });
    return { last_hidden_state: slice(g, last_hidden_state, 1, 0, count) };
  });
}

/** @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for relative positions; `MISSING_WEIGHT` without query tokens. */
function expectExportable(part: ExportedQFormer): ExportedQFormer {
  if (hasRelativePositions(part.config))
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'A Q-Former with relative positions cannot be exported', {
      where: 'position_embedding_type',
      expected: 'absolute',
      got: part.config.positionEmbeddingType,
    });
  return part;
}

/** Builds the graph of the Q-Former from weights. */
function builderOf(
  { config, weights: { prefix }, norm }: ExportedQFormer,
  more: Partial<QFormerRequest>,
): (source: WeightSource) => ReturnType<typeof buildQFormer> {
  const request = { ...PLAIN_REQUEST, ...more, ...(norm !== undefined && { norm }) };
  return (source) => buildQFormer(config, source, prefix, request);
}

type TextValues = Readonly<Record<string, Value>>;

function textInputs({ ids, mask }: TextNames): Record<string, TensorSpec<'int64'>> {
  return { [ids]: i64('batch', 'sequence'), [mask]: i64('batch', 'sequence') };
}

/** The embeddings of a text at positions from 0 on, and its mask. */
function text(
  g: Graph,
  own: Weights,
  { config, embeddings }: ExportedQFormer,
  inputs: TextValues,
  names: TextNames,
): { readonly embeddings: F32; readonly mask: Value<'int64'> } {
  const [input_ids, mask] = [inputs[names.ids], inputs[names.mask]] as (Value<'int64'> | undefined)[];
  if (!embeddings || !input_ids || !mask)
    throw new Blip2Error('MISSING_WEIGHT', 'The Q-Former has no text input', { where: 'embeddings' });
  const { store, prefix } = embeddings;
  const position_ids = countedPositions(g, input_ids);
  const build = (source: WeightSource): ReturnType<typeof buildTextEmbeddings> =>
    buildTextEmbeddings(config, source, prefix);
  const outputs = writeSection(own, build, { input_ids, position_ids }, store);
  return { embeddings: outputs.embeddings, mask };
}

/** 0, 1, 2, … for every row of `ids`. */
function countedPositions(g: Graph, ids: Value<'int64'>): Value<'int64'> {
  const number = (value: number): Value<'int64'> => g.constant('int64', [], [value]);
  const length: Value<'int64'> = g.node(
    'Gather',
    [g.node('Shape', [ids], { type: 'int64', axes: [2] }), number(1)],
    { type: 'int64', axes: [] },
    { attributes: { axis: { int: 0 } } },
  );
  const range: Value<'int64'> = g.node('Range', [number(0), length, number(1)], { type: 'int64', axes: ['sequence'] });
  return g.node('Expand', [range, g.node('Shape', [ids], { type: 'int64', axes: [2] })], {
    type: 'int64',
    axes: ids.axes,
  });
}

function queries(g: Graph, { dims, data }: QueryTokens, like: Value): F32 {
  return expandBatch(g, g.constant('float32', dims, [...data]), like);
}

/** The same value with the axis that the Q-Former's graph calls `positions`. */
function positions(x: F32): F32 & Value<'float32'> {
  return assumeAxes(x, ['batch', 'positions', x.axes[2] ?? 1], 'positions of the Q-Former');
}

/** `[batch, positions]` of zeros and ones → `[batch, 1, 1, positions]`: 0, or the lowest float where masked. */
function maskBias(g: Graph, mask: Value<'int64'>): F32 {
  const axes = ['batch', 1, 1, 'positions'];
  const rows: Value<'int64'> = g.node('Unsqueeze', [mask, g.constant('int64', [2], [1, 2])], { type: 'int64', axes });
  const number = (value: number): F32 => g.constant('float32', [], [value]);
  return g.node('Where', [cast(g, rows, 'bool'), number(0), number(MASKED)], { type: 'float32', axes });
}
