import type { AttentionMask, Tensor } from '@blip2/interfaces';

import type { RowMemory } from './cached-decoding.ts';

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

type MemoryContents = Omit<EncoderMemory, 'pick'>;

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
  };
  return memory;
}

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
