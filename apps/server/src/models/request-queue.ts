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

/** Limits of a queue. */
export interface RequestQueueOptions {
  /** Requests that use the model at the same time. */
  readonly maxRunning: number;
  /** Requests that may wait. */
  readonly maxWaiting: number;
}

/** Creates the queue of a model. */
export function createRequestQueue({ maxRunning, maxWaiting }: RequestQueueOptions): RequestQueue {
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
      if (running < maxRunning) return takePlace();
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
