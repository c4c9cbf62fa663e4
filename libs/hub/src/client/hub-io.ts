import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { writeAll } from '@blip2/files';

/** What a download does to the outer world. Tests hand in failures. */
export interface HubIo {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly sleep: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
  /** Writes at the handle's position. Fails with `WRITE_FAILED`. */
  readonly write: (handle: FileHandle, bytes: Uint8Array, file: string) => Promise<void>;
}

export const hubIo: HubIo = {
  fetch: (url, init) => fetch(url, init),
  sleep: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
  },
  random: Math.random,
  write: writeAll,
};
