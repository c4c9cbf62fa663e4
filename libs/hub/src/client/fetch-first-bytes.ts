import { Blip2Error } from '@blip2/interfaces';

import type { RepositoryFile } from '../repository/repository-files.ts';
import { hubRequest, type HubSession, redactUrl } from './hub-request.ts';
import { failedStatus } from './hub-status.ts';
import { readBody } from './read-body.ts';
import { type Attempt, transient, withRetries } from './retry.ts';

/** A file of a commit on the hub. */
export interface RemoteFile extends Pick<RepositoryFile, 'path' | 'size'> {
  readonly id: string;
  readonly commit: string;
}

const ATTEMPTS = 5;

/**
 * The first `bytes` bytes of a file, by a ranged request; a server that sends more is left as soon as these are here.
 * @throws Blip2Error `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`; the signal's reason.
 */
export function fetchFirstBytes(session: HubSession, file: RemoteFile, bytes: number): Promise<Uint8Array> {
  return withRetries(() => tryStart(session, file, bytes), {
    io: session.io,
    signal: session.signal,
    attempts: ATTEMPTS,
  });
}

async function tryStart(
  session: HubSession,
  { id, commit, path }: RemoteFile,
  bytes: number,
): Promise<Attempt<Uint8Array>> {
  if (bytes === 0) return { value: new Uint8Array() };
  const address = `${session.settings.endpoint}/${id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
  const attempt = await hubRequest(session, address, { range: `bytes=0-${bytes - 1}` });
  if (!('value' in attempt)) return attempt;
  const { response, cancel } = attempt.value;
  const unfit = (got: string): Attempt<never> =>
    transient(
      new Blip2Error('DOWNLOAD_FAILED', 'The hub sends something else than the beginning of a file', {
        where: redactUrl(new URL(address)),
        expected: `${bytes} bytes`,
        got,
        fix: 'Check HF_ENDPOINT and proxies',
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
    return unfit(range ?? 'a web page');
  }
  const start = new Uint8Array(bytes);
  let filled = 0;
  for await (const chunk of readBody(attempt.value, session)) {
    if ('broken' in chunk) return transient(chunk.broken);
    start.set(chunk.subarray(0, bytes - filled), filled);
    filled += Math.min(chunk.byteLength, bytes - filled);
    // Leaving the loop lets go of the connection.
    if (filled === bytes) return { value: start };
  }
  return unfit(`${filled} bytes`);
}
