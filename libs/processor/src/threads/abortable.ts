import { onAbort } from '@blip2/interfaces';

/** The same result, but rejected with the abort reason as soon as the signal aborts. The work itself continues. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let release = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    release = onAbort(signal, () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    release();
    work.catch(() => {});
  }
}
