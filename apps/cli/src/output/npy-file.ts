import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import type { Embedding } from '../model/model-port.ts';
import { npyHeader } from './npy.ts';
import { temporaryFiles } from './temporary-files.ts';
import { writeFailed } from './write-failed.ts';

/**
 * A `.npy` file of one float32 array `[inputs, …shape]` that grows on the disk, under a temporary name until it is
 * whole.
 */
export interface NpyFile {
  /** Throws `INVALID_ARGUMENT` if the array holds other shapes, `WRITE_FAILED`. */
  append(name: string, embedding: Embedding): Promise<void>;
  /** Without a single embedding no file is made. */
  finish(): Promise<void>;
  discard(): Promise<void>;
}

export function npyFile(file: string): NpyFile {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  let handle: FileHandle | undefined;
  let shape: readonly number[] = [];
  let count = 0;
  const discard = async (): Promise<void> => {
    const closing = handle;
    handle = undefined;
    await closing?.close();
    await rm(temporary, { force: true });
    temporaryFiles.forget(temporary);
  };
  const begin = async (dims: readonly number[]): Promise<FileHandle> => {
    const opened = await open(temporary, 'wx');
    temporaryFiles.add(temporary);
    shape = dims;
    await opened.writeFile(npyHeader([count, ...shape]));
    return opened;
  };
  return {
    async append(name, { dims, data }) {
      if (handle && dims.join() !== shape.join()) throw differentShapes(name, shape, dims);
      try {
        handle ??= await begin(dims);
        await handle.writeFile(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        count++;
      } catch (cause) {
        throw writeFailed(file, cause);
      }
    },
    async finish() {
      if (!handle) return;
      try {
        const header = npyHeader([count, ...shape]);
        await handle.write(header, 0, header.length, 0);
        await handle.sync();
        await handle.close();
        handle = undefined;
        await rename(temporary, file);
      } catch (cause) {
        throw writeFailed(file, cause);
      } finally {
        await discard();
      }
    },
    discard,
  };
}

function differentShapes(where: string, expected: readonly number[], got: readonly number[]): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', 'These embeddings have different shapes', {
    where,
    expected: `[${expected.join(', ')}]`,
    got: `[${got.join(', ')}]`,
    fix: 'Use --pool, or write .safetensors, .parquet or .jsonl',
  });
}
