import { readTensor } from '@blip2/checkpoint';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';
import { type PartWeights } from '@blip2/part';

/** Words are looked up in one table. Files hold it under any of these names, or under several. */
export const WORD_TABLES: readonly string[] = ['shared', 'encoder.embed_tokens', 'decoder.embed_tokens'];

/**
 * Rows that are compared, evenly spread: tables that were trained apart differ in nearly all, and full-size ones have
 * hundreds of MB.
 */
const COMPARED_ROWS = 64;

/**
 * Makes sure that a file with several tables of words has the same in all. The reference looks words up in each stack's
 * own where they differ.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with both names.
 */
export async function requireOneWordTable({ store: { tensors, folder }, prefix }: PartWeights): Promise<void> {
  const start = prefix === '' ? '' : `${prefix}.`;
  const [first, ...others] = WORD_TABLES.flatMap((name) => tensors.get(`${start}${name}.weight`) ?? []);
  for (const other of others) {
    if (first === undefined || (await isSameTable(first, other))) continue;
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The encoder or the decoder has a table of words of its own', {
      expected: `${other.name} to equal ${first.name}`,
      where: folder,
      fix: 'Use a checkpoint whose stacks share one table',
    });
  }
}

async function isSameTable(one: StoredTensor, other: StoredTensor): Promise<boolean> {
  // Of another shape: whoever reads it says so.
  if (one.shape.join() !== other.shape.join()) return true;
  const [rows = 0] = one.shape;
  const count = Math.min(rows, COMPARED_ROWS);
  for (let i = 0; i < count; i++) {
    const row = count > 1 ? Math.floor((i * (rows - 1)) / (count - 1)) : 0;
    const [a, b] = await Promise.all([rowOf(one, row), rowOf(other, row)]);
    if (!a.every((value, index) => Object.is(value, b[index]))) return false;
  }
  return true;
}

async function rowOf(tensor: StoredTensor, row: number): Promise<Float32Array> {
  const [rows = 1, width = 1] = tensor.shape;
  const byteLength = tensor.byteLength / rows;
  return (await readTensor({ ...tensor, shape: [width], byteOffset: tensor.byteOffset + row * byteLength, byteLength }))
    .data;
}
