import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { removeAbandonedTemporaries, startBeat, temporaryName, wrapWriteErrors, writeAll } from '@blip2/files';

/** Where a writer puts its bytes. A custom one may be a pipe, an object store or a file with rules of its own. */
export interface RowTarget {
  /** Appends content. */
  write(content: string | Uint8Array): Promise<void>;
  /** Replaces the first bytes, as many as `start` has. */
  rewrite(start: Uint8Array): Promise<void>;
  /** Completes the output. */
  commit(): Promise<void>;
  /** Gives the output up. */
  discard(): Promise<void>;
}

/**
 * A file, or a function that opens another target. It is called with the first row: without rows, nothing is created.
 */
export type Destination = string | (() => Promise<RowTarget>);

/** Opens a destination. */
export function openTarget(destination: Destination): Promise<RowTarget> {
  return typeof destination === 'string' ? openFile(destination) : destination();
}

/**
 * A file under a temporary name next to it, renamed when it is complete. An existing file is replaced at once.
 * @throws Blip2Error `WRITE_FAILED`, as all methods.
 */
async function openFile(file: string): Promise<RowTarget> {
  const start = `.${basename(file)}`;
  await removeAbandonedTemporaries(dirname(file), (name) => name.startsWith(`${start}.`) && name.endsWith('.tmp'));
  const temporary = join(dirname(file), temporaryName(start));
  const handle = await wrapWriteErrors(file, open(temporary, 'wx'));
  const stopBeat = startBeat(temporary);
  const bytesOf = (content: string | Uint8Array): Uint8Array =>
    typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const discard = async (): Promise<void> => {
    stopBeat();
    await handle.close();
    await rm(temporary, { force: true });
  };
  return {
    write: (content) => writeAll(handle, bytesOf(content), file),
    async rewrite(bytes) {
      await wrapWriteErrors(file, handle.write(bytes, 0, bytes.length, 0));
    },
    async commit() {
      try {
        await wrapWriteErrors(file, handle.sync());
        await handle.close();
        await wrapWriteErrors(file, rename(temporary, file));
      } finally {
        await discard();
      }
    },
    discard,
  };
}
