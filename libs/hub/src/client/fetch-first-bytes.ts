import { Blip2Error } from '@blip2/interfaces';

import { fileUrl } from './file-url.ts';
import { hubRequest, type HubSession, redactUrl } from './hub-request.ts';
import { failedStatus } from './hub-status.ts';
import { readBody } from './read-body.ts';
import { type Attempt, transient, withRetries } from './retry.ts';

/** A file of a commit on the Hub. */
export interface RemoteFile {
  readonly id: string;
  readonly commit: string;
  readonly path: string;
  /** Size in bytes. */
  readonly size: number;
}

const ATTEMPTS = 5;

/**
 * Fetches the first `bytes` bytes of a file with a range request. If the server ignores the range, the connection is
 * closed once these bytes have arrived.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`; the signal's reason.
 */
export function fetchFirstBytes(session: HubSession, file: RemoteFile, bytes: number): Promise<Uint8Array> {
  return withRetries(() => tryFetch(session, file, bytes), {
    io: session.io,
    signal: session.signal,
    attempts: ATTEMPTS,
  });
}

async function tryFetch(
  session: HubSession,
  { id, commit, path }: RemoteFile,
  bytes: number,
): Promise<Attempt<Uint8Array>> {
  if (bytes === 0) return { value: new Uint8Array() };
  const address = fileUrl(session, id, commit, path);
  const attempt = await hubRequest(session, address, { range: `bytes=0-${bytes - 1}` });
  if (!('value' in attempt)) return attempt;
  const { response, cancel } = attempt.value;
  const wrongResponse = (got: string): Attempt<never> =>
    transient(
      new Blip2Error('DOWNLOAD_FAILED', 'The Hub sent something other than the first bytes of the file', {
        where: redactUrl(new URL(address)),
        expected: `${bytes} bytes`,
        got,
        fix: 'Check HF_ENDPOINT and the proxy settings',
      }),
    );
  if (response.status !== 200 && response.status !== 206) {
    cancel();
    return failedStatus(response, session, { id, revision: commit });
  }
  const range = response.headers.get('content-range');
  if (
    (response.status === 206 && !/^bytes 0-/.test(range ?? '')) ||
    /^text\/html\b/.test(response.headers.get('content-type') ?? '')
  ) {
    cancel();
    return wrongResponse(range ?? 'a web page');
  }
  const start = new Uint8Array(bytes);
  let filled = 0;
  for await (const chunk of readBody(attempt.value, session)) {
    if ('broken' in chunk) return transient(chunk.broken);
    start.set(chunk.subarray(0, bytes - filled), filled);
    filled += Math.min(chunk.byteLength, bytes - filled);
    // Leaving the loop closes the connection.
    if (filled === bytes) return { value: start };
  }
  return wrongResponse(`${filled} bytes`);
}
