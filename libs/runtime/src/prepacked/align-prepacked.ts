import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';

import { mapExternalData } from './external-data.ts';

/**
 * Alignment in bytes. A prepacked matrix of `MatMulNBits` holds integers, sums and scales, each at the next multiple of
 * up to 64 of its address in memory. If it is mapped at another remainder than it was saved from, the kernel looks for
 * sums and scales at the wrong addresses.
 */
const ALIGNMENT = 64;

/** Prefix of the keys under which onnxruntime lists the prepacked forms of a weight: `ID|offset;length;checksum|…`. */
const PREPACKED_KEY = 'prepacked';

interface Move {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/**
 * Aligns the prepacked weights of a saved graph: those at unaligned offsets are moved to aligned ones at the end of the
 * file. onnxruntime aligns only weights larger than 1 MiB, and their lengths are arbitrary.
 */
export async function alignPrepacked(graphFile: string, weightsFile: string): Promise<void> {
  const graph = await readFile(graphFile);
  await using weights = await open(weightsFile, 'r+');
  let { size } = await weights.stat();
  const moves: Move[] = [];
  const moved = (blob: string): string => {
    const [offset = '', length = '', ...rest] = blob.split(';');
    const from = Number(offset);
    if (from % ALIGNMENT === 0) return blob;
    const to = Math.ceil(size / ALIGNMENT) * ALIGNMENT;
    size = to + Number(length);
    moves.push({ from, to, length: Number(length) });
    return [to, length, ...rest].join(';');
  };
  const aligned = mapExternalData(graph, ({ key, value }) => {
    if (!key.startsWith(PREPACKED_KEY)) return value;
    const [id = '', ...blobs] = value.split('|');
    return [id, ...blobs.map(moved)].join('|');
  });
  if (moves.length === 0) return;
  for (const move of moves) await copyWithin(weights, move);
  await writeFile(graphFile, aligned);
}

async function copyWithin(file: FileHandle, { from, to, length }: Move): Promise<void> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(bytes, 0, length, from);
  if (bytesRead !== length) throw new RangeError(`${length} bytes at ${from} are beyond the end of the file`);
  await file.writev([bytes], to);
}
