import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { type IncomingMessage, request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';

import { Blip2Error } from '@blip2/interfaces';

import { shownUrl } from '../images/image-source.ts';
import { isPrivateAddress } from './private-addresses.ts';

/** Maximum size of a fetched image, in bytes. */
const MAX_DOWNLOAD_BYTES: number = 20 * 1024 * 1024;
/** Timeout of the whole request in milliseconds, redirects included. */
const DOWNLOAD_TIMEOUT = 10_000;
const MAX_REDIRECTS = 3;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Options of `fetchImage`. */
export interface FetchImageOptions {
  readonly signal?: AbortSignal;
  /** Maximum size in bytes. Default 20 MiB. */
  readonly maxBytes?: number;
  /** In milliseconds. Default 10 s. */
  readonly timeout?: number;
  /** Resolves host names; replaced in tests. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** Whether connecting to an address is forbidden. Default: all addresses that are not public. */
  readonly isForbidden?: (address: string) => boolean;
}

type Rules = Required<Omit<FetchImageOptions, 'signal'>> & { readonly signal: AbortSignal };

/**
 * Fetches an encoded image from an http(s) URL. The address of each connection is checked, redirects included, instead
 * of the host name, which may resolve to another address the next time.
 * @throws Blip2Error `INVALID_ARGUMENT` for a forbidden address or protocol; `IMAGE_TOO_LARGE` beyond the maximum size;
 * `MISSING_FILE` if the request fails.
 */
export async function fetchImage(url: URL, options: FetchImageOptions = {}): Promise<Uint8Array> {
  const {
    maxBytes = MAX_DOWNLOAD_BYTES,
    timeout = DOWNLOAD_TIMEOUT,
    resolve = resolveName,
    isForbidden = isPrivateAddress,
  } = options;
  const deadline = AbortSignal.timeout(timeout);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  try {
    return await follow(url, { maxBytes, timeout, resolve, isForbidden, signal });
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (cause instanceof Blip2Error) throw cause;
    const reason = deadline.aborted
      ? `no answer within ${timeout / 1000} s`
      : cause instanceof Error
        ? cause.message
        : String(cause);
    throw new Blip2Error('MISSING_FILE', 'The image could not be fetched', {
      where: shownUrl(url),
      got: reason,
      cause,
    });
  }
}

async function follow(start: URL, rules: Rules): Promise<Uint8Array> {
  let url = start;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await open(url, rules);
    const status = response.statusCode ?? 0;
    const location = response.headers.location;
    if (!REDIRECTS.has(status) || location === undefined) return readBody(response, status, url, rules);
    response.destroy();
    url = new URL(location, url);
  }
  throw new Blip2Error('MISSING_FILE', 'The image could not be fetched', {
    where: shownUrl(start),
    got: `more than ${MAX_REDIRECTS} redirects`,
  });
}

function open(url: URL, rules: Rules): Promise<IncomingMessage> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Blip2Error('INVALID_ARGUMENT', 'The protocol of the image URL is not supported', {
      expected: 'http: or https:',
      got: url.protocol,
    });
  // No look-up takes place for an IP address in the URL.
  const host = url.hostname.replaceAll(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && rules.isForbidden(host)) throw forbidden(url, host);
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  // A new connection: the address of a pooled one has not been checked by this look-up.
  const options: RequestOptions = {
    agent: false,
    lookup: checkedLookup(url, rules),
    signal: rules.signal,
    headers: { accept: 'image/*', 'accept-encoding': 'identity' },
  };
  return new Promise((resolve, reject) => {
    send(url, options, resolve).on('error', reject).end();
  });
}

/** A look-up that returns only checked addresses to the connection. */
function checkedLookup(url: URL, { resolve, isForbidden }: Rules): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const bad = addresses.find(({ address }) => isForbidden(address));
        const [first] = addresses;
        if (bad || !first)
          callback(
            bad
              ? forbidden(url, bad.address)
              : new Blip2Error('MISSING_FILE', 'The host name has no address', { where: hostname }),
            '',
            0,
          );
        else if (options.all) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}

async function readBody(response: IncomingMessage, status: number, url: URL, { maxBytes }: Rules): Promise<Uint8Array> {
  try {
    if (status !== 200)
      throw new Blip2Error('MISSING_FILE', 'The image could not be fetched', {
        where: shownUrl(url),
        expected: 'status 200',
        got: String(status),
      });
    const chunks: Buffer[] = [];
    let size = Number(response.headers['content-length'] ?? 0);
    if (size > maxBytes) throw tooLarge(url, size, maxBytes);
    size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(url, size, maxBytes);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  } finally {
    response.destroy();
  }
}

function resolveName(hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}

function forbidden(url: URL, address: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', 'The image URL leads to an address that is not public', {
    argument: 'allowPrivateUrls',
    where: shownUrl(url),
    got: address,
    fix: 'Set allowPrivateUrls, or fetch the image and pass its bytes',
  });
}

function tooLarge(url: URL, size: number, maxBytes: number): Blip2Error {
  return new Blip2Error('IMAGE_TOO_LARGE', 'The image file is too large', {
    where: shownUrl(url),
    expected: `at most ${maxBytes} bytes`,
    got: `at least ${size}`,
  });
}
