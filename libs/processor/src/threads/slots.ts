import { onAbort } from '@blip2/interfaces';

/** A limit on work in progress. Waiting callers are served in the order of their calls. */
export interface Slots {
  /**
   * Waits for a free slot and returns the function that frees it again. An abort leaves the queue at once.
   * @throws the reason of `signal` if it aborts first.
   */
  acquire(signal?: AbortSignal): Promise<() => void>;
}

interface Waiting {
  readonly take: () => void;
}

/** Creates `count` slots. */
export function createSlots(count: number): Slots {
  let free = count;
  const queue = new Set<Waiting>();

  function release(): void {
    const [next] = queue;
    if (next) next.take();
    else free++;
  }
  function once(): () => void {
    let isReleased = false;
    return () => {
      if (!isReleased) release();
      isReleased = true;
    };
  }

  return {
    async acquire(signal) {
      signal?.throwIfAborted();
      if (free > 0) {
        free--;
        return once();
      }
      return new Promise((resolve, reject) => {
        const stay = onAbort(signal, () => {
          queue.delete(waiting);
          reject(signal?.reason);
        });
        const waiting: Waiting = {
          take() {
            queue.delete(waiting);
            stay();
            resolve(once());
          },
        };
        queue.add(waiting);
      });
    },
  };
}
