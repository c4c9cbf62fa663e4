import type { AttentionMask, Tensor } from '@blip2/interfaces';

import type { RowMemory } from './cached-stepper.ts';
import { paddedMask } from './decoding-masks.ts';
import { KeyValueCache } from './key-value-cache.ts';

/** Keys or values of one layer, `[rows, heads, positions, headSize]`. */
export type CrossTensor = Tensor<
  'float32',
  readonly [rows: number, heads: number, positions: number, headSize: number]
>;

/** The cross-attention keys and values of the prompts, one entry per layer, and the mask over the prompts. */
export interface EncoderMemory extends RowMemory<EncoderMemory> {
  readonly keys: readonly CrossTensor[];
  readonly values: readonly CrossTensor[];
  readonly attentionMask: AttentionMask;
}

type MemoryContents = Pick<EncoderMemory, 'keys' | 'values' | 'attentionMask'>;

/** Creates the memory of prompts. Beams of one prompt share its row and are reordered without a copy. */
export function encoderMemory(prompts: MemoryContents): EncoderMemory {
  return memoryOf(
    prompts,
    prompts,
    prompts.attentionMask.map((_, row) => row),
  );
}

/** `rows` holds row `sources[i]` of `prompts` in row `i`. */
function memoryOf(prompts: MemoryContents, rows: MemoryContents, sources: readonly number[]): EncoderMemory {
  const memory: EncoderMemory = {
    ...rows,
    pick(parents) {
      const picked = parents.map((parent) => sources[parent] ?? 0);
      if (picked.length === sources.length && picked.every((source, row) => source === sources[row])) return memory;
      return memoryOf(prompts, pickContents(prompts, picked), picked);
    },
    join: (other, added) => joinedMemory(cacheOf(memory), memory.attentionMask, memory.keys.length).join(other, added),
  };
  return memory;
}

/** The caches of joined memories. */
const CACHES = new WeakMap<EncoderMemory, KeyValueCache>();

function cacheOf(memory: EncoderMemory): KeyValueCache {
  const { keys, values } = memory;
  const [, heads = 0, , headSize = 0] = keys[0]?.dims ?? [];
  return CACHES.get(memory) ?? KeyValueCache.of({ layers: keys.length, heads, headSize }, keys, values);
}

/** The memory of prompts that join and leave: rows are added and removed without a copy of the others. */
function joinedMemory(
  cache: KeyValueCache,
  attentionMask: AttentionMask,
  numLayers: number,
): EncoderMemory & Required<Joinable> {
  const layers = Array.from({ length: numLayers }, (_, layer) => layer);
  const next = (mask: AttentionMask, changed = cache): EncoderMemory & Required<Joinable> =>
    joinedMemory(changed, mask, numLayers);
  const rowsOf = (rows: readonly number[]): AttentionMask => rows.map((row) => attentionMask[row] ?? []);
  const memory: EncoderMemory & Required<Joinable> = {
    keys: layers.map((layer) => cache.keys(layer)),
    values: layers.map((layer) => cache.values(layer)),
    attentionMask,
    pick(parents) {
      cache.reorder(parents);
      return next(rowsOf(parents));
    },
    copy: (rows) => (rows ? next(rowsOf(rows), cache.pick(rows, 0)) : next(attentionMask, cache.fork())),
    join(other, rows) {
      cache.appendRows(cacheOf(other), rows, true);
      const masks = [...attentionMask, ...rows.map((row) => other.attentionMask[row] ?? [])];
      return next(masks.map((mask) => paddedMask(mask, cache.length)));
    },
  };
  CACHES.set(memory, cache);
  return memory;
}

type Joinable = Pick<EncoderMemory, 'join' | 'copy'>;

function pickContents({ keys, values, attentionMask }: MemoryContents, sources: readonly number[]): MemoryContents {
  const pick = (tensor: CrossTensor): CrossTensor => pickRows(tensor, sources);
  return {
    keys: keys.map(pick),
    values: values.map(pick),
    attentionMask: sources.map((source) => attentionMask[source] ?? []),
  };
}

function pickRows(
  { dims: [, heads, positions, headSize], data }: CrossTensor,
  sources: readonly number[],
): CrossTensor {
  const length = heads * positions * headSize;
  const rows = new Float32Array(sources.length * length);
  sources.forEach((source, row) => rows.set(data.subarray(source * length, (source + 1) * length), row * length));
  return { type: 'float32', dims: [sources.length, heads, positions, headSize], data: rows };
}
