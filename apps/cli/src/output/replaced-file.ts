import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';

import type { ResultSink } from './result-sink.ts';
import { temporaryFiles } from './temporary-files.ts';
import { writeFailed } from './write-failed.ts';

/** Takes bytes as well as lines. */
export interface ReplacedFile extends ResultSink {
  write(content: string | Uint8Array): Promise<void>;
}

/**
 * A file written under a temporary name beside its own and renamed when it is whole. Without a single line no file is
 * made.
 */
export function replacedFile(file: string): ReplacedFile {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  let handle: FileHandle | undefined;
  return {
    done: new Set(),
    resumable: false,
    async write(content) {
      try {
        if (!handle) {
          handle = await open(temporary, 'wx');
          temporaryFiles.add(temporary);
        }
        await handle.appendFile(content);
      } catch (cause) {
        throw writeFailed(file, cause);
      }
    },
    async close(outcome) {
      if (!handle) return;
      const closing = handle;
      // Whoever cleans up after this failed may close it again.
      handle = undefined;
      try {
        if (outcome !== 'failed') await closing.sync();
        await closing.close();
        if (outcome !== 'failed') await rename(temporary, file);
      } catch (cause) {
        throw writeFailed(file, cause);
      } finally {
        await rm(temporary, { force: true });
        temporaryFiles.forget(temporary);
      }
    },
  };
}

/** Writes a small file whole: temporary name, then rename. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const target = replacedFile(file);
  await target.write(content);
  await target.close('finished');
}
