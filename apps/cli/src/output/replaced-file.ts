import { type FileHandle, open, rename, rm } from 'node:fs/promises';

import { writeFailed } from './output-path.ts';
import type { ResultSink } from './result-sink.ts';
import { temporaryFiles, temporaryName } from './temporary-files.ts';

/** A sink that accepts bytes as well as lines. */
export interface ReplacedFile extends ResultSink {
  write(content: string | Uint8Array): Promise<void>;
}

/** Writes a file under a temporary name next to it and renames it when it is complete. Without content, no file. */
export function replacedFile(file: string): ReplacedFile {
  const temporary = temporaryName(file);
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
      // Cleaning up after a failed close may close the file again.
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

/** Writes a small file in one step: temporary name, then rename. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  const target = replacedFile(file);
  await target.write(content);
  await target.close('finished');
}
