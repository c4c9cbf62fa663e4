import { Blip2Error } from '@blip2/interfaces';

/** A place among the requests that use a model. */
export interface Place {
  /** Gives the place to the next request. May be called more than once. */
  leave(): void;
}

/** The requests of one model: a few run, a limited number waits, in order. */
export interface RequestQueue {
  readonly running: number;
  readonly waiting: number;
  /**
   * Waits for a place.
   * @throws Blip2Error `QUEUE_FULL` if too many requests are waiting; the reason of the signal.
   */
  enter(signal: AbortSignal): Promise<Place>;
}

/**
 * Requests that use the model at the same time: while one generates, the image of another one can be decoded and
 * encoded.
 */
const RUNNING_REQUESTS = 2;

/** Creates the queue of a model. `maxWaiting`: the number of requests that may wait. */
export function createRequestQueue(maxWaiting: number): RequestQueue {
  const waiting = new Set<() => void>();
  let running = 0;

  const takePlace = (): Place => {
    running++;
    let hasLeft = false;
    return {
      leave() {
        if (hasLeft) return;
        hasLeft = true;
        running--;
        const [next] = waiting;
        next?.();
      },
    };
  };

  return {
    get running() {
      return running;
    },
    get waiting() {
      return waiting.size;
    },
    async enter(signal) {
      signal.throwIfAborted();
      if (running < RUNNING_REQUESTS) return takePlace();
      if (waiting.size >= maxWaiting) throw queueFull(maxWaiting);
      return new Promise<Place>((resolve, reject) => {
        const start = (): void => {
          waiting.delete(start);
          signal.removeEventListener('abort', abort);
          resolve(takePlace());
        };
        const abort = (): void => {
          waiting.delete(start);
          reject(signal.reason as Error);
        };
        signal.addEventListener('abort', abort, { once: true });
        waiting.add(start);
      });
    },
  };
}

function queueFull(maxWaiting: number): Blip2Error {
  return new Blip2Error('QUEUE_FULL', 'Too many requests are waiting for this model', {
    expected: `at most ${maxWaiting}`,
    fix: 'Send it again later',
  });
}
