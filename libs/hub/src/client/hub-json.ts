import { Blip2Error } from '@blip2/interfaces';

import { hubRequest, type HubSession, redactUrl } from './hub-request.ts';
import { failedStatus, type RequestedRevision } from './hub-status.ts';
import { readBody } from './read-body.ts';
import { type Attempt, transient, withRetries } from './retry.ts';

/** Questions about a repository are small; a page of 1,000 files is some 300 kB. */
const MAX_JSON_BYTES = 32_000_000;
/** Few: whoever is offline shall be told so soon. */
const ATTEMPTS = 3;

export interface JsonAnswer {
  readonly json: unknown;
  readonly headers: Headers;
}

/**
 * The JSON at an address of the hub. @throws Blip2Error `DOWNLOAD_FAILED`, `NOT_FOUND`, `UNAUTHORIZED`; the signal's
 * reason.
 */
export function hubJson(session: HubSession, address: string, asked: RequestedRevision): Promise<JsonAnswer> {
  return withRetries(() => tryJson(session, address, asked), {
    io: session.io,
    signal: session.signal,
    attempts: ATTEMPTS,
  });
}

async function tryJson(session: HubSession, address: string, asked: RequestedRevision): Promise<Attempt<JsonAnswer>> {
  const attempt = await hubRequest(session, address);
  if (!('value' in attempt)) return attempt;
  const { response, cancel } = attempt.value;
  if (response.status !== 200) {
    cancel();
    return failedStatus(response, session, asked);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of readBody(attempt.value, session)) {
    if ('broken' in chunk) return transient(chunk.broken);
    chunks.push(chunk);
    if ((size += chunk.byteLength) > MAX_JSON_BYTES)
      throw unexpectedResponse(address, `more than ${MAX_JSON_BYTES} bytes`);
  }
  try {
    return {
      value: {
        json: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))),
        headers: response.headers,
      },
    };
  } catch (cause) {
    return transient(unexpectedResponse(address, 'no JSON', cause));
  }
}

/** An answer that no hub gives: a portal that wants a login, a proxy, another service behind `HF_ENDPOINT`. */
export function unexpectedResponse(address: string, got: string, cause?: unknown): Blip2Error {
  return new Blip2Error('DOWNLOAD_FAILED', 'This is not the answer of a hub', {
    where: redactUrl(new URL(address)),
    got,
    cause,
    fix: 'Check HF_ENDPOINT and proxies',
  });
}
