import { floatsOf, idsOf } from './feed-edit.ts';
import { setAttribute } from './graph-edit.ts';
import { type Feed, LANGUAGE_KINDS, MODEL_KINDS, type Mutation } from './mutation.ts';
import { scaleTensors } from './tensor-edit.ts';

/** The language model of the case `opt`: 56 wide, 4 heads of 14. */
const HEAD_SIZE = 14;
/** Number of query tokens in the case `opt-legacy-fp16` (the default). */
const LEGACY_QUERIES = 32;
/** Bias of a masked key, far below all attention scores. */
const MASKED = -1e30;
/** Rows of the position embedding for position 0 and for padding. */
const OFFSET = 2n;
const PADDING = 1n;
/** A label that the loss ignores. */
const IGNORED = -100;
const opt = { case: 'opt', reaches: LANGUAGE_KINDS } as const;

export const languageMutations: readonly Mutation[] = [
  { ...opt, name: 'opt: position offset 1 instead of 2', feed: () => (feed) => shiftPositions(feed, -1n) },
  { ...opt, name: 'opt: position offset 3', feed: () => (feed) => shiftPositions(feed, 1n) },
  { ...opt, name: 'opt: positions ignore padding', feed: countPadding },
  {
    ...opt,
    name: 'opt: queries not scaled',
    tensors: (tensors) => scaleTensors(tensors, /^language_model\..*\.q_proj\.(weight|bias)$/, Math.sqrt(HEAD_SIZE)),
  },
  {
    ...opt,
    name: 'opt: norms after instead of before',
    config: ({ text_config: c = {} }) => void (c['do_layer_norm_before'] = false),
  },
  {
    ...opt,
    name: 'opt: no final norm',
    config: ({ text_config: c = {} }) => void (c['_remove_final_layer_norm'] = true),
  },
  {
    ...opt,
    name: 'opt: gelu instead of relu',
    config: ({ text_config: c = {} }) => void (c['activation_function'] = 'gelu'),
  },
  {
    ...opt,
    name: 'opt: epsilon 1e-6 instead of 1e-5',
    graph: (model, name) => name === 'opt_decoder' && setAttribute(model, /\/LayerNormalization$/, 'epsilon', 1e-6),
  },
  { ...opt, name: 'opt: padding attended to', feed: attendToPadding },
  {
    ...opt,
    name: 'loss: not shifted',
    reaches: ['forward'],
    // The model judges position i by label i + 1: labels moved on by one undo that.
    call: (call) => {
      const moved = (name: string): readonly (readonly number[])[] =>
        call.inputs.rows(name).map((row) => [IGNORED, ...row.slice(0, -1)]);
      return {
        ...call,
        inputs: { ...call.inputs, rows: (name) => (name === 'labels' ? moved(name) : call.inputs.rows(name)) },
      };
    },
  },
  {
    case: 'opt-legacy-fp16',
    reaches: LANGUAGE_KINDS,
    name: 'old layout: queries after the text',
    feed: () => queriesLast,
  },
  { case: 'opt', reaches: MODEL_KINDS, name: 'weights rounded to float16', storedAs: 'float16' },
  { case: 'opt', reaches: MODEL_KINDS, name: 'weights rounded to bfloat16', storedAs: 'bfloat16' },
];

function shiftPositions(feed: Feed, by: bigint): void {
  const ids = idsOf(feed, 'position_ids');
  ids?.data.forEach((id, index) => (ids.data[index] = id + by));
}

/** Whether this is the first run of a row: it has no cached keys. */
function isFirstRun(feed: Feed): boolean {
  return (feed.get('past_key.0')?.dims[2] ?? 0) === 0;
}

/** Counts padding as positions, also in later runs. */
function countPadding(): (feed: Feed) => void {
  let padded: bigint[] = [];
  return (feed) => {
    const ids = idsOf(feed, 'position_ids');
    if (!ids) return;
    const [rows = 0, columns = 0] = ids.dims;
    const first = isFirstRun(feed);
    if (first)
      padded = Array.from({ length: rows }, (_, row) =>
        BigInt(ids.data.subarray(row * columns, (row + 1) * columns).filter((id) => id === PADDING).length),
      );
    ids.data.forEach((id, index) => {
      ids.data[index] = first ? BigInt(index % columns) + OFFSET : id + (padded[Math.floor(index / columns)] ?? 0n);
    });
  };
}

/** Unmasks padding keys. The last position of the first run shows which they are. */
function attendToPadding(): (feed: Feed) => void {
  let padded: number[][] = [];
  return (feed) => {
    const bias = floatsOf(feed, 'attention_bias');
    if (!bias) return;
    const [rows = 0, , queries = 0, keys = 0] = bias.dims;
    const at = (row: number, query: number, key: number): number => (row * queries + query) * keys + key;
    const first = isFirstRun(feed);
    const allKeys = Array.from({ length: keys }, (_, key) => key);
    if (first)
      padded = Array.from({ length: rows }, (_, row) =>
        allKeys.filter((key) => (bias.data[at(row, queries - 1, key)] ?? 0) < MASKED),
      );
    padded.forEach((masked, row) => {
      for (const key of masked)
        for (let query = first ? key : 0; query < queries; query++) bias.data[at(row, query, key)] = 0;
    });
  };
}

/** Moves the projected queries after the text in the first run of each row. */
function queriesLast(feed: Feed): void {
  const embeds = floatsOf(feed, 'inputs_embeds');
  if (!embeds || !isFirstRun(feed)) return;
  const [rows = 0, positions = 0, width = 0] = embeds.dims;
  for (let row = 0; row < rows; row++) {
    const all = embeds.data.subarray(row * positions * width, (row + 1) * positions * width);
    const queries = all.slice(0, LEGACY_QUERIES * width);
    all.copyWithin(0, LEGACY_QUERIES * width);
    all.set(queries, all.length - queries.length);
  }
}
