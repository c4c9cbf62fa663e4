import { createHash } from 'node:crypto';
import { open, realpath } from 'node:fs/promises';
import { basename } from 'node:path';

/** Files up to this size are read completely. */
const MAX_WHOLE_BYTES = 64 * 2 ** 20;
const BLOCK_BYTES = 16 * 2 ** 10;
/** Blocks that are read of a larger file: the first, the last and others at equal distances. */
const BLOCKS = 256;

/**
 * A key that differs for files with different content: the checksum of a blob of the Hugging Face cache, which is its
 * name; that of the whole file; or for a large file that of its size and 256 blocks, so that a file of several GB takes
 * a moment. Other weights of the same size differ in every block; a change of single values of a large file is missed.
 */
export async function contentKey(file: string): Promise<string> {
  const blob = basename(await realpath(file));
  if (/^[0-9a-f]{64}$/.test(blob)) return blob;
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const hash = createHash('sha256').update(`${size} `);
    const isWhole = size <= MAX_WHOLE_BYTES;
    const count = isWhole ? Math.ceil(size / BLOCK_BYTES) : BLOCKS;
    const block = Buffer.alloc(BLOCK_BYTES);
    for (let index = 0; index < count; index++) {
      const position = isWhole ? index * BLOCK_BYTES : Math.floor((index * (size - BLOCK_BYTES)) / (BLOCKS - 1));
      const { bytesRead } = await handle.read(block, 0, BLOCK_BYTES, position);
      hash.update(block.subarray(0, bytesRead));
    }
    return hash.digest('hex');
  } finally {
    await handle.close();
  }
}
