import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { proxyFetch, writeAll } from '@blip2/files';

/** Side effects of a download: network, time, randomness and disk. Tests replace them to inject failures. */
export interface HubIo {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly sleep: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
  /** A random number in [0, 1). */
  readonly random: () => number;
  /**
   * Writes at the current position of the handle.
   * @throws Blip2Error `WRITE_FAILED`
   */
  readonly write: (handle: FileHandle, bytes: Uint8Array, file: string) => Promise<void>;
}

/** The real side effects. */
export const hubIo: HubIo = {
  fetch: async (url, init) => ((await proxyFetch(new URL(url))) ?? fetch)(url, init),
  sleep: async (milliseconds, signal) => {
    await sleep(milliseconds, undefined, { signal }).catch(() => signal?.throwIfAborted());
  },
  random: Math.random,
  write: writeAll,
};
