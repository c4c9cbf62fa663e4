import { Blip2Error, unlessAborted } from '@blip2/interfaces';

import { type HubSession, networkCode, type OpenResponse, redactUrl } from './hub-request.ts';

/** A body slower than this on average over a whole stall timeout counts as stalled, in bytes per second. */
const MIN_BYTES_PER_SECOND = 1024;

/** A body that ended early because of the network. */
export interface BrokenBody {
  readonly broken: Blip2Error;
}

/**
 * Yields the chunks of a response body; the last one may be a `BrokenBody`. Only time spent waiting for the network
 * counts towards the stall timeout.
 * @throws the signal's reason.
 */
export async function* readBody(
  { response, signal: ended, cancel }: OpenResponse,
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
      // In Node's `fetch`, a read that starts after the abort never settles.
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
    yield brokenBody(response, stalled ? 'no more bytes' : (networkCode(cause) ?? 'a closed connection'), cause);
  } finally {
    cancel();
  }
}

function brokenBody({ url }: Response, got: string, cause?: unknown): BrokenBody {
  return {
    broken: new Blip2Error('DOWNLOAD_FAILED', 'The download was interrupted', {
      where: url === '' ? 'the Hub' : redactUrl(new URL(url)),
      got,
      cause,
      fix: 'Run it again: the download resumes',
    }),
  };
}
