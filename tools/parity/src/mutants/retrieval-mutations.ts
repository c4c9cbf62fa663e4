import type { Tensor } from '@blip2/interfaces';

import { bypassAll } from './graph-edit.ts';
import { type Feed, type Mutation, QFORMER_KINDS } from './mutation.ts';
import { scaleTensors, tensorsNamed } from './tensor-edit.ts';

const RETRIEVAL_KINDS: readonly string[] = [
  'image_text_retrieval',
  'text_model_with_projection',
  'vision_model_with_projection',
];
const itm = { case: 'itm', reaches: RETRIEVAL_KINDS } as const;
const relative = { case: 'qformer-relative-key', reaches: QFORMER_KINDS } as const;
const TABLES = /\.distance_embedding\.weight$/;

export const retrievalMutations: readonly Mutation[] = [
  {
    ...itm,
    name: 'itm head: first query instead of the mean',
    feed: () => (feed, graphName) => void (graphName === 'itm_head' && firstQueryEverywhere(feed)),
  },
  {
    ...itm,
    name: 'itc: mean over the queries instead of the maximum',
    result: (result, { options }) => void (options['useImageTextMatchingHead'] !== true && rescore(result, mean)),
  },
  {
    ...itm,
    name: 'itc: first query instead of the maximum',
    result: (result, { options }) =>
      void (options['useImageTextMatchingHead'] !== true && rescore(result, ([first = NaN]) => first)),
  },
  {
    ...itm,
    name: 'itc: embeddings not normalised',
    graph: (model, graphName) => void (graphName === 'retrieval_projection' && bypassAll(model, /^Div/)),
  },
  {
    ...itm,
    reaches: [...RETRIEVAL_KINDS, 'text_embeddings'],
    name: 'qformer: text positions go on after the queries',
    feed: () => (feed, graphName) => void (graphName === 'text_embeddings' && shiftPositions(feed)),
  },
];

/** Relative positions and head masks, which Transformers removed after 4.57. */
export const relativeMutations: readonly Mutation[] = [
  { ...relative, name: 'qformer: no relative positions', tensors: (tensors) => scaleTensors(tensors, TABLES, 0) },
  {
    ...relative,
    name: 'qformer: no relative positions in cross-attention',
    tensors: (tensors) => scaleTensors(tensors, /\.crossattention\..*\.distance_embedding\.weight$/, 0),
  },
  {
    ...relative,
    name: 'qformer: relative positions from key to query',
    tensors: (tensors) => tensorsNamed(tensors, TABLES).forEach(([, table]) => reverseRows(table)),
  },
  {
    ...relative,
    name: 'qformer: the other kind of relative positions',
    config: ({ qformer_config: c = {} }) => void (c['position_embedding_type'] = 'relative_key_query'),
  },
  {
    ...relative,
    reaches: ['qformer_forward'],
    name: 'qformer: head mask ignored',
    feed: () => (feed) => void feed.get('head_mask')?.data.fill(1 as never),
  },
];

function firstQueryEverywhere(feed: Feed): void {
  const states = feed.get('states');
  const [batch = 0, queries = 0, size = 0] = states?.dims ?? [];
  if (states?.type !== 'float32') return;
  for (let row = 0; row < batch * queries; row++)
    states.data.copyWithin(row * size, (row - (row % queries)) * size, (row - (row % queries) + 1) * size);
}

function shiftPositions(feed: Feed): void {
  const positions = feed.get('position_ids');
  if (positions?.type === 'int64')
    (positions.data as BigInt64Array).forEach((position, index, all) => (all[index] = position + 1n));
}

/** Recomputes the scores of all images and texts from the embeddings of the result. */
function rescore(result: Map<string, unknown>, fold: (cosines: readonly number[]) => number): void {
  const [images, texts, scores] = ['imageEmbeds', 'textEmbeds', 'logitsPerImage'].map(
    (name) => result.get(name) as Tensor<'float32'> | undefined,
  );
  if (!images || !texts || !scores) return;
  const [, queries = 0, size = 0] = images.dims;
  const [count = 0] = texts.dims;
  const cosine = (image: number, query: number, text: number): number =>
    Array.from(
      { length: size },
      (_, index) =>
        (images.data[(image * queries + query) * size + index] ?? NaN) * (texts.data[text * size + index] ?? NaN),
    ).reduce((sum, each) => sum + each, 0);
  const data = scores.data.map((_, index) =>
    fold(Array.from({ length: queries }, (__, query) => cosine(Math.floor(index / count), query, index % count))),
  );
  result.set('logitsPerImage', { ...scores, data });
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}

function reverseRows({ dims, data }: Tensor<'float32'>): void {
  const [rows = 0, size = 0] = dims;
  const copy = data.slice();
  for (let row = 0; row < rows; row++)
    data.set(copy.subarray((rows - 1 - row) * size, (rows - row) * size), row * size);
}
