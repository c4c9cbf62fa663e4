import { parseJson } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { hubRequest, type HubSession, redactUrl } from './hub-request.ts';
import { failedStatus, type RequestedRevision } from './hub-status.ts';
import { readBody } from './read-body.ts';
import { type Attempt, transient, withRetries } from './retry.ts';

/** Maximum size of an API response. A page of 1,000 files has about 300 kB. */
const MAX_JSON_BYTES = 32_000_000;
/** Few attempts, so that an offline user is told soon. */
const ATTEMPTS = 3;

/** A parsed API response. */
export interface JsonResponse {
  readonly json: unknown;
  readonly headers: Headers;
  /** Size of the body. */
  readonly bytes: number;
}

/**
 * Fetches JSON from the Hub's API.
 * @throws Blip2Error `DOWNLOAD_FAILED`, `NOT_FOUND`, `UNAUTHORIZED`; the signal's reason.
 */
export function hubJson(session: HubSession, address: string, requested: RequestedRevision): Promise<JsonResponse> {
  return withRetries(() => tryJson(session, address, requested), {
    io: session.io,
    signal: session.signal,
    attempts: ATTEMPTS,
  });
}

async function tryJson(
  session: HubSession,
  address: string,
  requested: RequestedRevision,
): Promise<Attempt<JsonResponse>> {
  const attempt = await hubRequest(session, address);
  if (!('value' in attempt)) return attempt;
  const { response, cancel } = attempt.value;
  if (response.status !== 200) {
    cancel();
    return failedStatus(response, session, requested);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of readBody(attempt.value, session)) {
    if ('broken' in chunk) return transient(chunk.broken);
    chunks.push(chunk);
    if ((size += chunk.byteLength) > MAX_JSON_BYTES)
      throw unexpectedResponse(address, `more than ${MAX_JSON_BYTES} bytes`);
  }
  const invalid = (rule: string): Blip2Error => unexpectedResponse(address, `no JSON: ${rule}`);
  try {
    return { value: { json: parseJson(Buffer.concat(chunks), invalid), headers: response.headers, bytes: size } };
  } catch (cause) {
    return transient(cause instanceof Blip2Error ? cause : unexpectedResponse(address, 'no JSON', cause));
  }
}

/** Error for a response that is not the Hub's: a login page, a proxy, another service at `HF_ENDPOINT`. */
export function unexpectedResponse(address: string, got: string, cause?: unknown): Blip2Error {
  return new Blip2Error('DOWNLOAD_FAILED', 'The response does not come from a Hub', {
    where: redactUrl(new URL(address)),
    got,
    cause,
    fix: 'Check HF_ENDPOINT and the proxy settings',
  });
}
