import { Blip2Error } from '@blip2/interfaces';

import type { HubIo } from './hub-io.ts';
import type { HubSettings } from './hub-settings.ts';
import { type Attempt, transient } from './retry.ts';

/** One use of the hub. */
export interface HubSession {
  readonly settings: HubSettings;
  readonly io: HubIo;
  readonly signal: AbortSignal | undefined;
}

/** An answer whose body has not been read. */
export interface Answer {
  readonly response: Response;
  /** Aborted by the session's signal, and by `cancel`. */
  readonly signal: AbortSignal;
  /** Lets go of the connection. A read that waits fails. */
  cancel(): void;
}

/** As many as browsers and `requests` would bear, and some. */
const MAX_REDIRECTS = 10;
/** No version and no machine: nothing is counted. */
const USER_AGENT = '@blip2/hub';

/**
 * One GET, redirects followed. The token goes to the hub's own origin and nowhere else; encrypted never becomes
 * unencrypted. An answer of any status
 * is a value; `transient` are failures of the network. @throws the signal's reason; Blip2Error `DOWNLOAD_FAILED` for
 * redirects that are refused.
 */
export async function hubRequest(
  session: HubSession,
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Attempt<Answer>> {
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
  throw new Blip2Error('DOWNLOAD_FAILED', 'The hub redirects in a circle', {
    where: redactUrl(new URL(address)),
    expected: `at most ${MAX_REDIRECTS} redirects`,
  });
}

async function requestOnce(
  { settings, io, signal }: HubSession,
  url: URL,
  headers: Readonly<Record<string, string>>,
): Promise<Attempt<Answer>> {
  signal?.throwIfAborted();
  const controller = new AbortController();
  const forward = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', forward, { once: true });
  const timer = setTimeout(() => controller.abort(), settings.answerTimeout);
  const cancel = (): void => {
    signal?.removeEventListener('abort', forward);
    controller.abort();
  };
  const isHub = url.origin === new URL(settings.endpoint).origin;
  try {
    const response = await io.fetch(url.href, {
      redirect: 'manual',
      signal: controller.signal,
      headers: {
        'user-agent': USER_AGENT,
        'accept-encoding': 'identity',
        ...headers,
        ...(isHub && settings.token !== undefined && { authorization: `Bearer ${settings.token}` }),
      },
    });
    return { value: { response, signal: controller.signal, cancel } };
  } catch (cause) {
    cancel();
    signal?.throwIfAborted();
    return transient(networkError(url, cause, settings));
  } finally {
    clearTimeout(timer);
  }
}

function nextHop(from: URL, location: string): URL {
  const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && from.protocol === 'http:'))) return url;
  throw new Blip2Error('DOWNLOAD_FAILED', 'A redirect leads off the encrypted web', {
    where: redactUrl(from),
    expected: 'an https address',
    got: url?.protocol ?? 'an invalid address',
  });
}

function networkError(url: URL, cause: unknown, { answerTimeout }: HubSettings): Blip2Error {
  const timedOut = cause instanceof Error && cause.name === 'AbortError';
  const code = networkCode(cause);
  return new Blip2Error('DOWNLOAD_FAILED', timedOut ? 'The hub did not answer in time' : 'The hub cannot be reached', {
    where: redactUrl(url),
    cause,
    got: timedOut
      ? `nothing for ${answerTimeout / 1000} s`
      : (code ?? (cause instanceof Error ? cause.message : 'a failure')),
    fix: 'Check the connection, HF_ENDPOINT and proxies, or work with what is in the cache: localFilesOnly',
  });
}

/** `ECONNREFUSED` and the like, from inside the error of `fetch`. */
export function networkCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return 'code' in error && typeof error.code === 'string' ? error.code : networkCode(error.cause);
}

/** An address as it may be shown: signed addresses carry secrets in their query. */
export function redactUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
