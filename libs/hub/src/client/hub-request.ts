import { Blip2Error, defined, isError } from '@blip2/interfaces';

import type { HubIo } from './hub-io.ts';
import type { HubSettings } from './hub-settings.ts';
import { type Attempt, transient } from './retry.ts';

/** Settings, side effects and abort signal shared by the requests of one call. */
export interface HubSession {
  readonly settings: HubSettings;
  readonly io: HubIo;
  readonly signal: AbortSignal | undefined;
}

/** A response whose body has not been read. */
export interface OpenResponse {
  readonly response: Response;
  /** Aborted by the session's signal and by `cancel`. */
  readonly signal: AbortSignal;
  /** Closes the connection. A pending read fails. */
  cancel(): void;
}

/** Maximum number of redirects, similar to that of browsers and of Python's `requests`. */
const MAX_REDIRECTS = 10;
/** Contains neither version nor platform: no statistics. */
const USER_AGENT = '@blip2/hub';

/**
 * Sends one GET request and follows redirects. The token is sent to the Hub's origin only, and https never redirects to
 * http. A response of any status is a value; network failures are `transient`.
 * @throws Blip2Error `DOWNLOAD_FAILED` for a redirect that is refused; the signal's reason.
 */
export async function hubRequest(
  session: HubSession,
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Attempt<OpenResponse>> {
  let url = new URL(address);
  for (let followed = 0; followed <= MAX_REDIRECTS; followed++) {
    const attempt = await requestOnce(session, url, headers);
    if (!('value' in attempt)) return attempt;
    const { response } = attempt.value;
    const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
    if (location === null) return attempt;
    await response.body?.cancel().catch(() => {});
    attempt.value.cancel();
    url = nextHop(url, location);
  }
  throw new Blip2Error('DOWNLOAD_FAILED', 'The Hub redirects in a circle', {
    where: redactUrl(new URL(address)),
    expected: `at most ${MAX_REDIRECTS} redirects`,
    fix: 'Check HF_ENDPOINT and the proxy settings',
  });
}

async function requestOnce(
  { settings, io, signal }: HubSession,
  url: URL,
  headers: Readonly<Record<string, string>>,
): Promise<Attempt<OpenResponse>> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const forward = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', forward, { once: true });
  const timer = setTimeout(() => controller.abort(), settings.responseTimeout);
  const cancel = (): void => {
    signal?.removeEventListener('abort', forward);
    controller.abort();
  };
  const isHub = url.origin === new URL(settings.endpoint).origin;
  const authorization = isHub && settings.token !== undefined ? `Bearer ${settings.token}` : undefined;
  try {
    const response = await io.fetch(url.href, {
      redirect: 'manual',
      signal: controller.signal,
      headers: {
        'user-agent': USER_AGENT,
        'accept-encoding': 'identity',
        ...headers,
        ...defined({ authorization }),
      },
    });
    return { value: { response, signal: controller.signal, cancel } };
  } catch (cause) {
    cancel();
    signal?.throwIfAborted();
    if (cause instanceof Blip2Error) throw cause;
    return transient(networkError(url, cause, settings));
  } finally {
    clearTimeout(timer);
  }
}

function nextHop(from: URL, location: string): URL {
  const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && from.protocol === 'http:'))) return url;
  throw new Blip2Error('DOWNLOAD_FAILED', 'A redirect leads to an address that is not encrypted', {
    where: redactUrl(from),
    expected: 'an https address',
    got: url?.protocol ?? 'an invalid address',
    fix: 'Check HF_ENDPOINT and the proxy settings',
  });
}

function networkError(url: URL, cause: unknown, { responseTimeout }: HubSettings): Blip2Error {
  const timedOut = isError(cause) && cause.name === 'AbortError';
  const code = networkCode(cause);
  return new Blip2Error('DOWNLOAD_FAILED', timedOut ? 'The Hub did not respond in time' : 'The Hub is unreachable', {
    where: redactUrl(url),
    cause,
    got: timedOut
      ? `no response for ${responseTimeout / 1000} s`
      : (code ?? (isError(cause) ? cause.message : 'a failure')),
    fix: 'Check the connection, HF_ENDPOINT and the proxy settings, or use cached models only: localFilesOnly',
  });
}

/** The system error code (`ECONNREFUSED`, …) inside an error of `fetch`. */
export function networkCode(error: unknown): string | undefined {
  if (!isError(error)) return undefined;
  return 'code' in error && typeof error.code === 'string' ? error.code : networkCode(error.cause);
}

/** A URL without its query, which holds secrets in signed URLs. */
export function redactUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
