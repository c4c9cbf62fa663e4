import type { LookupAddress } from 'node:dns';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Fetch, proxyFetch } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { shownUrl } from '../images/image-source.ts';
import { createDeadlines, type Deadlines } from './deadlines.ts';
import { MAX_DOWNLOAD_BYTES } from './download-limits.ts';
import { requestImage, resolveName } from './image-request.ts';
import type { ImageResponse } from './image-response.ts';
import { isPrivateAddress } from './private-addresses.ts';
import { readBody } from './response-body.ts';

/** Time without any data after which a request is given up, in milliseconds. */
const STALL_TIMEOUT = 10_000;
/** Time for a whole image, in milliseconds: redirects, retries and waiting included. */
const TOTAL_TIMEOUT = 120_000;
const MAX_REDIRECTS = 3;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Too many requests, and overloaded: worth another try. */
const BUSY: ReadonlySet<number> = new Set([429, 503]);
const MAX_RETRIES = 2;
/** Wait before another try if the server names none, and the longest that it may name, in milliseconds. */
const RETRY_WAIT = 1000;
const MAX_RETRY_WAIT = 30_000;

/** Options of `fetchImage`. */
export interface FetchImageOptions {
  readonly signal?: AbortSignal;
  /** Maximum size in bytes, also after decompression. Default 20 MiB. */
  readonly maxBytes?: number;
  /** Maximum time without data, in milliseconds. Default 10 s. */
  readonly timeout?: number;
  /** Maximum time in all, in milliseconds. Default 120 s. */
  readonly totalTimeout?: number;
  /** Resolves host names; replaced in tests. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** Whether connecting to an address is forbidden. Default: all addresses that are not public. */
  readonly isForbidden?: (address: string) => boolean;
  /** The `fetch` through the proxy for a URL, if any. Default: the proxy of the environment. */
  readonly proxy?: (url: URL) => Promise<Fetch | undefined>;
}

interface Rules extends Required<Pick<FetchImageOptions, 'maxBytes' | 'resolve' | 'isForbidden' | 'proxy'>> {
  readonly deadlines: Deadlines;
}

/**
 * Fetches an encoded image from an http(s) URL, through the proxy of the environment if it has one. The address of each
 * connection is checked, redirects and retries included; that of a proxy is not, but the host name in the URL is if it
 * can be resolved. A server that is busy (429, 503) is asked again, after its `Retry-After`.
 * @throws Blip2Error `INVALID_ARGUMENT` for a forbidden address or protocol; `IMAGE_TOO_LARGE` beyond the maximum size;
 * `MISSING_FILE` if the request fails.
 */
export async function fetchImage(url: URL, options: FetchImageOptions = {}): Promise<Uint8Array> {
  const { maxBytes = MAX_DOWNLOAD_BYTES, resolve = resolveName, isForbidden = isPrivateAddress, signal } = options;
  const { timeout = STALL_TIMEOUT, totalTimeout = TOTAL_TIMEOUT, proxy = proxyFetch } = options;
  const deadlines = createDeadlines(timeout, totalTimeout, signal);
  try {
    return await fetchWithRetries(url, { maxBytes, resolve, isForbidden, proxy, deadlines });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof Blip2Error) throw cause;
    const reason = deadlines.passed() ?? (cause instanceof Error ? cause.message : String(cause));
    throw notFetched(url, { got: reason, cause });
  } finally {
    deadlines.end();
  }
}

async function fetchWithRetries(url: URL, rules: Rules): Promise<Uint8Array> {
  for (let retries = 0; ; retries++) {
    const response = await follow(url, rules);
    try {
      const { status } = response;
      if (status === 200) return await readBody(response, url, { ...rules, onProgress: rules.deadlines.extend });
      const wait = retries < MAX_RETRIES && BUSY.has(status) ? retryWait(response) : undefined;
      if (wait === undefined) throw notFetched(url, { expected: 'status 200', got: String(status) });
      response.destroy();
      rules.deadlines.pause();
      await sleep(wait, undefined, { signal: rules.deadlines.signal });
    } finally {
      response.destroy();
    }
  }
}

async function follow(start: URL, { deadlines, ...addresses }: Rules): Promise<ImageResponse> {
  let url = start;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    deadlines.extend();
    const response = await requestImage(url, addresses, deadlines.signal);
    const location = response.header('location');
    if (!REDIRECTS.has(response.status) || location === undefined) return response;
    response.destroy();
    url = redirectTarget(location, url);
  }
  throw notFetched(start, { got: `more than ${MAX_REDIRECTS} redirects` });
}

function redirectTarget(location: string, from: URL): URL {
  if (URL.canParse(location, from.href)) return new URL(location, from);
  throw notFetched(from, { got: 'a redirect to an invalid URL' });
}

/** The wait in milliseconds that a busy server names, in seconds or as a date; undefined if it is too long. */
function retryWait(response: ImageResponse): number | undefined {
  const value = response.header('retry-after')?.trim();
  if (value === undefined) return RETRY_WAIT;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  if (Number.isNaN(wait)) return RETRY_WAIT;
  return wait <= MAX_RETRY_WAIT ? Math.max(0, wait) : undefined;
}

function notFetched(url: URL, details: { expected?: string; got: string; cause?: unknown }): Blip2Error {
  return new Blip2Error('MISSING_FILE', 'The image could not be fetched', { where: shownUrl(url), ...details });
}
