import { readTensor } from '@blip2/checkpoint';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';
import { type PartWeights, pathStart } from '@blip2/part';

/** Names of the token embedding, which encoder and decoder share. A checkpoint has one or several of them. */
export const TOKEN_EMBEDDINGS: readonly string[] = ['shared', 'encoder.embed_tokens', 'decoder.embed_tokens'];

/**
 * Number of rows that are compared, evenly spaced. Embeddings that were trained separately differ in nearly every row,
 * and those of full-size models have hundreds of MB.
 */
const COMPARED_ROWS = 64;

/**
 * Checks that all copies of the token embedding in a checkpoint are equal. If they differ, HF uses a separate one for
 * each stack.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with both names.
 */
export async function requireSharedEmbedding({ store: { tensors, folder }, prefix }: PartWeights): Promise<void> {
  const start = pathStart(prefix);
  const [first, ...others] = TOKEN_EMBEDDINGS.flatMap((name) => tensors.get(`${start}${name}.weight`) ?? []);
  for (const other of others) {
    if (first === undefined || (await isSameTensor(first, other))) continue;
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Encoder and decoder must share one token embedding', {
      expected: `${other.name} to equal ${first.name}`,
      where: folder,
      fix: 'Use a checkpoint in which both are the same',
    });
  }
}

async function isSameTensor(one: StoredTensor, other: StoredTensor): Promise<boolean> {
  // A shape mismatch is reported when the tensor is loaded.
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
