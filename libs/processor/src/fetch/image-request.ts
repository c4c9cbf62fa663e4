import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { type IncomingMessage, request as requestHttp, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';

import { Blip2Error } from '@blip2/interfaces';

import { shownUrl } from '../images/image-source.ts';

/** Which addresses requests may connect to. */
export interface AddressRules {
  /** Resolves a host name. */
  readonly resolve: (hostname: string) => Promise<readonly LookupAddress[]>;
  /** Whether connecting to an address is forbidden. */
  readonly isForbidden: (address: string) => boolean;
}

/** Some servers answer 403 to requests without one. Contains neither version nor platform: no statistics. */
const USER_AGENT = 'blip2-node (@blip2/processor)';

/**
 * Sends a GET request. The address of the connection is checked, not the host name, which may resolve to another
 * address the next time.
 * @throws Blip2Error `INVALID_ARGUMENT` for a forbidden address or protocol.
 */
export async function requestImage(url: URL, rules: AddressRules, signal: AbortSignal): Promise<IncomingMessage> {
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
    signal,
    headers: { accept: 'image/*,*/*;q=0.1', 'accept-encoding': 'identity', 'user-agent': USER_AGENT },
  };
  return new Promise((resolve, reject) => {
    send(url, options, resolve).on('error', reject).end();
  });
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
