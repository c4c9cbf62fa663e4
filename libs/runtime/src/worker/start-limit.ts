import { Blip2Error } from '@blip2/interfaces';

import type { PartLink } from './part-link.ts';

/** Limits how often a worker is replaced that ends before it has completed a call. */
export interface StartLimit {
  /** Counts a worker that has ended. */
  count(link: Pick<PartLink, 'hasServed'>): void;
  /** @throws Blip2Error `WORKER_FAILED` if the last workers ended before they completed a call. */
  expectAllowed(): void;
}

const MAX_FAILED_STARTS = 3;
/** Time in milliseconds after which another worker is tried. */
const RETRY_AFTER_MS = 30_000;

export function createStartLimit(now: () => number = () => performance.now()): StartLimit {
  let failed = 0;
  let lastAt = 0;
  return {
    count(link) {
      failed = link.hasServed() ? 0 : failed + 1;
      lastAt = now();
    },
    expectAllowed() {
      if (failed < MAX_FAILED_STARTS || now() - lastAt >= RETRY_AFTER_MS) return;
      throw new Blip2Error('WORKER_FAILED', `The last ${failed} part workers ended before they completed a call`, {
        fix: `Look for their messages. Another one is started after ${RETRY_AFTER_MS / 1000} s`,
      });
    },
  };
}
