import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import type { ResultSink } from './result-sink.ts';
import { writeFailed } from './write-failed.ts';

/** A file written under a temporary name beside its own and renamed when it is whole. Without a single line no file is made. */
export function replacedFile(file: string): ResultSink {
  const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const removeAtExit = (): void => rmSync(temporary, { force: true });
  let handle: FileHandle | undefined;
  return {
    done: new Set(),
    async write(lines) {
      try {
        if (!handle) {
          handle = await open(temporary, 'wx');
          process.once('exit', removeAtExit);
        }
        await handle.appendFile(lines);
      } catch (cause) {
        throw writeFailed(file, cause);
      }
    },
    async close(outcome) {
      if (!handle) return;
      try {
        await handle.sync();
        await handle.close();
        if (outcome !== 'failed') await rename(temporary, file);
      } catch (cause) {
        throw writeFailed(file, cause);
      } finally {
        process.off('exit', removeAtExit);
        await rm(temporary, { force: true });
      }
    },
  };
}

/** Writes a small file whole: temporary name, then rename. */
export async function replaceFile(file: string, content: string): Promise<void> {
  const target = replacedFile(file);
  await target.write(content);
  await target.close('finished');
}
