import { types } from 'node:util';

import { type ImageSource, mustBe, type SharpLike } from '@blip2/interfaces';

import { isDataUrl, shownDataUrl } from '../fetch/data-url.ts';

/** Maximum length of a path or URL in messages, in UTF-16 code units. */
const MAX_SHOWN_LENGTH = 500;

/** An image as encoded bytes, or where they can be read. */
export type EncodedSource = string | URL | Uint8Array | ArrayBuffer | Blob;

/** Whether a source holds or names encoded bytes. Objects of other realms (`node:vm`, jest) are recognised too. */
export function isEncodedSource(source: unknown): source is EncodedSource {
  return typeof source === 'string' || isBytes(source) || isUrlObject(source) || isBlob(source);
}

/** Whether a source is a `Uint8Array` or `ArrayBuffer`. */
export function isBytes(source: unknown): source is Uint8Array | ArrayBuffer {
  return types.isUint8Array(source) || types.isAnyArrayBuffer(source);
}

/** Whether a source is a `URL`. */
export function isUrlObject(source: unknown): source is URL {
  return isObject(source) && 'href' in source && 'protocol' in source && typeof source.href === 'string';
}

/** Whether a source is a `Blob`. */
export function isBlob(source: unknown): source is Blob {
  return isObject(source) && 'arrayBuffer' in source && 'stream' in source && typeof source.stream === 'function';
}

/** Whether a source is a sharp instance. */
export function isSharp(source: unknown): source is SharpLike {
  return isObject(source) && 'clone' in source && 'toColourspace' in source;
}

/**
 * The URL that a source is; undefined for a path. A scheme has at least two letters: a single one is a Windows drive.
 * @throws Blip2Error `INVALID_ARGUMENT` for a text with a scheme that is not a valid URL.
 */
export function toUrl(source: string | URL): URL | undefined {
  if (typeof source !== 'string') return new URL(source.href);
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(source)) return undefined;
  try {
    return new URL(source);
  } catch (cause) {
    throw mustBe('image', 'a valid URL', source, { cause });
  }
}

/** Names a source in messages: never with credentials, the query of a URL or the content of a `data:` URL. */
export function describeSource(source: ImageSource): string {
  if (isUrlObject(source) || typeof source === 'string') {
    const text = typeof source === 'string' ? source : source.href;
    if (isDataUrl(text)) return shownDataUrl(text);
    return /^https?:/i.test(text) || typeof source !== 'string' ? shownUrl(text) : shortened(text);
  }
  return isBytes(source) ? 'image bytes' : 'image';
}

/** A URL as shown in messages: without credentials, query and fragment, which may be secret. */
export function shownUrl(url: URL | string): string {
  if (typeof url === 'string' && !URL.canParse(url)) return shortened(url.replace(/[?#].*$/s, ''));
  const { protocol, host, pathname } = new URL(url);
  return shortened(`${protocol}//${host}${pathname}`);
}

function shortened(text: string): string {
  return text.slice(0, MAX_SHOWN_LENGTH);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
