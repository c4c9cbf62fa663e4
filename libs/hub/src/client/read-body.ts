import { Blip2Error } from '@blip2/interfaces';

import { type Answer, type HubSession, networkCode, redactUrl } from './hub-request.ts';

/** A body slower than this, in bytes per second over the whole stall timeout, is as good as stuck. */
const MIN_BYTES_PER_SECOND = 1024;

/** How a body ended early: the network, not its reader. */
export interface BrokenBody {
  readonly broken: Blip2Error;
}

/**
 * The chunks of a body; the last one may be a `BrokenBody`. Only time that is spent waiting for the network counts
 * against it.
 * @throws the signal's reason.
 */
export async function* readBody(
  { response, signal: ended, cancel }: Answer,
  { settings: { stallTimeout }, signal }: HubSession,
): AsyncGenerator<Uint8Array | BrokenBody> {
  const reader = response.body?.getReader();
  let [waited, arrived] = [0, 0];
  let stalled = false;
  try {
    while (reader) {
      const before = performance.now();
      const timer = setTimeout(() => {
        stalled = true;
        cancel();
      }, stallTimeout);
      const { done, value } = await unlessAborted(reader.read(), ended).finally(() => clearTimeout(timer));
      if (done) return;
      waited += performance.now() - before;
      arrived += value.byteLength;
      yield value;
      if (waited < stallTimeout) continue;
      stalled = arrived < (MIN_BYTES_PER_SECOND * stallTimeout) / 1000;
      if (stalled) break;
      [waited, arrived] = [0, 0];
    }
    if (stalled) yield brokenBody(response, 'too few bytes for too long');
  } catch (cause) {
    signal?.throwIfAborted();
    yield brokenBody(
      response,
      stalled ? 'no more bytes for too long' : (networkCode(cause) ?? 'a cut connection'),
      cause,
    );
  } finally {
    cancel();
  }
}

/** Node's `fetch` leaves a read that begins after the abort unanswered for ever. */
async function unlessAborted<T>(read: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([read, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function brokenBody({ url }: Response, got: string, cause?: unknown): BrokenBody {
  return {
    broken: new Blip2Error('DOWNLOAD_FAILED', 'A download broke off', {
      where: url === '' ? 'the hub' : redactUrl(new URL(url)),
      got,
      cause,
      fix: 'Start it again: it goes on where it stopped',
    }),
  };
}
