import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';

import type { Fetch } from '@blip2/files';
import { Blip2Error, isError, unlessAborted } from '@blip2/interfaces';

import { shownUrl } from '../images/image-source.ts';
import { fetchedResponse, type ImageResponse, messageResponse } from './image-response.ts';

/** Which addresses requests may connect to, and through which proxies. */
export interface AddressRules {
  /** Resolves a host name. */
  readonly resolve: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** Whether connecting to an address is forbidden. */
  readonly isForbidden: (address: string) => boolean;
  /** The `fetch` through the proxy for a URL, if any. */
  readonly proxy: (url: URL) => Promise<Fetch | undefined>;
}

/** Some servers answer 403 to requests without one. Contains neither version nor platform: no statistics. */
const USER_AGENT = 'blip2-node (@blip2/processor)';
const HEADERS = { accept: 'image/*,*/*;q=0.1', 'accept-encoding': 'identity', 'user-agent': USER_AGENT };

/**
 * Sends a GET request. The address of the connection is checked, not the host name, which may resolve to another
 * address the next time. A proxy resolves the host name itself: then the name is checked, if it can be resolved here.
 * @throws Blip2Error `INVALID_ARGUMENT` for a forbidden address or protocol.
 */
export async function requestImage(url: URL, rules: AddressRules, signal: AbortSignal): Promise<ImageResponse> {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Blip2Error('INVALID_ARGUMENT', 'The protocol of the image URL is not supported', {
      expected: 'http: or https:',
      got: url.protocol,
    });
  // No look-up takes place for an IP address in the URL.
  const host = url.hostname.replaceAll(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && rules.isForbidden(host)) throw forbidden(url, host);
  const proxied = await rules.proxy(url);
  if (proxied) {
    await expectPublicName(url, host, rules, signal);
    const response = await proxied(url.href, { redirect: 'manual', headers: HEADERS, signal }).catch(throwReason);
    return fetchedResponse(response);
  }
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  // A new connection: the address of a pooled one has not been checked by this look-up.
  const options: RequestOptions = {
    agent: false,
    lookup: checkedLookup(url, rules),
    signal,
    headers: HEADERS,
  };
  return new Promise((resolve, reject) => {
    send(url, options, (message) => resolve(messageResponse(message)))
      .on('error', reject)
      .end();
  });
}

/** @throws Blip2Error `INVALID_ARGUMENT` for a host name that resolves to a forbidden address. */
async function expectPublicName(
  url: URL,
  host: string,
  { resolve, isForbidden }: AddressRules,
  signal: AbortSignal,
): Promise<void> {
  if (isIP(host) !== 0) return;
  // Behind a proxy, names of public hosts often cannot be resolved.
  const addresses = await unlessAborted(resolve(host), signal).catch(() => []);
  signal.throwIfAborted();
  const bad = addresses.find(({ address }) => isForbidden(address));
  if (bad) throw forbidden(url, bad.address);
}

/** `fetch` hides the reason of a failure behind an error of its own. */
function throwReason(error: unknown): never {
  throw isError(error) ? (error.cause ?? error) : error;
}

/** A look-up that returns only checked addresses to the connection. */
function checkedLookup(url: URL, { resolve, isForbidden }: AddressRules): LookupFunction {
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

/** Resolves a host name with the system's resolver. */
export function resolveName(hostname: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)));
  });
}

function forbidden(url: URL, address: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', 'The image URL leads to an address that is not public', {
    argument: 'allowPrivateUrls',
    where: shownUrl(url),
    got: address,
    fix: 'Set allowPrivateUrls (--allow-private-urls of the command), or fetch the image and pass its bytes',
  });
}
