import { open } from 'node:fs/promises';

import { systemPath } from '../images/path-names.ts';
import { movedFile } from './moved-file.ts';
import type { OutputTarget } from './output-target.ts';
import { openStream } from './stream-output.ts';
import { expectLinked } from './write-failed.ts';

/** An output that is being written. */
export interface OpenedOutput {
  write(content: string | Uint8Array): Promise<void>;
  /** Replaces the first bytes. Only with `rewinds`. */
  rewrite(start: Uint8Array): Promise<void>;
  /** Completes the output. */
  commit(): Promise<void>;
  /** Leaves an existing file unchanged. What a pipe has received is kept. */
  discard(): Promise<void>;
}

export interface OpenSettings {
  /** Whether the first bytes are replaced at the end. A pipe then gets everything at the end. */
  readonly rewinds?: boolean;
  /** Ends the wait for the reader of a pipe. */
  readonly signal?: AbortSignal | undefined;
}

/** Opens an output for content that must not be seen before it is complete. */
export async function openOutput(
  target: OutputTarget,
  { rewinds = false, signal }: OpenSettings = {},
): Promise<OpenedOutput> {
  if (target.kind === 'stream' && !rewinds) return directOutput(target, signal);
  const { path, mode, move, remove } = await movedFile(target);
  const handle = await open(systemPath(path), 'wx', mode).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  const discard = async (): Promise<void> => {
    await handle.close();
    await remove();
  };
  return {
    async write(content) {
      await expectLinked(handle);
      await handle.appendFile(content);
    },
    async rewrite(start) {
      await handle.write(start, 0, start.length, 0);
    },
    async commit() {
      try {
        await handle.sync();
        await handle.close();
        await move(signal);
      } finally {
        await discard();
      }
    },
    discard,
  };
}

async function directOutput({ path, stats }: OutputTarget, signal: AbortSignal | undefined): Promise<OpenedOutput> {
  const { write, close } = await openStream(path, stats, signal);
  return {
    write,
    rewrite: async () => {
      throw new TypeError('A stream cannot be rewritten');
    },
    commit: close,
    discard: close,
  };
}
