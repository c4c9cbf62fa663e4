import { createHash } from 'node:crypto';

import type { Blip2Error } from '@blip2/interfaces';

/** An image that is not opened yet, or an argument that does not name an image. */
export type ImageInput = {
  /** Name in all outputs: the path or URL as given, or `-`; a `data:` URL is shortened. */
  readonly name: string;
} & ({ readonly source: string | URL | 'stdin' } | { readonly error: Blip2Error });

/** Whether an argument is a URL rather than a path. A drive letter (`C:\…`) is not a scheme. */
export function isUrl(argument: string): boolean {
  return /^(https?|file|data):/i.test(argument);
}

/** Digits that tell `data:` URLs apart. */
const DIGEST_LENGTH = 16;

/** Name of a URL in outputs: a `data:` URL is its media type and a digest, as it contains the whole image. */
export function nameOfUrl(url: string): string {
  if (!/^data:/i.test(url)) return url;
  const [type = ''] = /^[\w.+/-]{0,40}/.exec(url.slice('data:'.length)) ?? [];
  return `data:${type},sha256=${createHash('sha256').update(url).digest('hex').slice(0, DIGEST_LENGTH)}`;
}

const COLLATOR = new Intl.Collator('en', { numeric: true });

/** Compares names in natural order, `frame2` before `frame10`. The order does not depend on the machine's locale. */
export function naturalOrder(a: string, b: string): number {
  return COLLATOR.compare(a, b) || (a < b ? -1 : Number(a > b));
}
