import { onAbort } from './on-abort.ts';

/**
 * The result of work, or the reason of the signal as soon as it is aborted. The work is not waited for then, and its
 * result is ignored.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    work.then(resolve, reject).finally(onAbort(signal, abort));
  });
}
