import { Blip2Error, mustBe } from '@blip2/interfaces';

import { MAX_DOWNLOAD_BYTES } from './download-limits.ts';

/** Maximum length of the media type and its parameters, in UTF-16 code units. */
const MAX_TYPE_LENGTH = 1000;
/** Maximum length of a media type in messages. */
const MAX_SHOWN_TYPE = 40;
/** Bytes need up to 3 characters each, with percent encoding. */
const MAX_LENGTH: number = MAX_DOWNLOAD_BYTES * 3 + MAX_TYPE_LENGTH;
const BASE64 = /^[\w+/-]*={0,2}$/;

/** Whether a text is a `data:` URL. */
export function isDataUrl(text: string): boolean {
  return /^data:/i.test(text);
}

/** A `data:` URL as shown in messages: its media type only. */
export function shownDataUrl(url: string): string {
  const [type = ''] = /^[\w.+/-]*/.exec(url.slice('data:'.length, 'data:'.length + MAX_SHOWN_TYPE)) ?? [];
  return `data:${type},…`;
}

/**
 * Decodes the content of a `data:` URL (RFC 2397), as base64 or percent-encoded.
 * @throws Blip2Error `IMAGE_TOO_LARGE` beyond the maximum size of a fetched image; `INVALID_ARGUMENT` for a malformed
 * URL.
 */
export function decodeDataUrl(url: string): Uint8Array {
  const where = shownDataUrl(url);
  if (url.length > MAX_LENGTH) throw tooLarge(`${url.length} characters`, where);
  const comma = url.slice(0, MAX_TYPE_LENGTH).indexOf(',');
  if (comma < 0) throw mustBe('image', 'a data URL with a comma after its media type', where);
  const isBase64 = /;\s*base64\s*$/i.test(url.slice(0, comma));
  const content = percentDecoded(url.slice(comma + 1).replace(/#.*$/s, ''));
  const bytes = isBase64 ? base64Decoded(content.toString('latin1'), where) : content;
  if (bytes.length > MAX_DOWNLOAD_BYTES) throw tooLarge(`${bytes.length} bytes`, where);
  return bytes;
}

function base64Decoded(content: string, where: string): Buffer {
  const text = content.replaceAll(/[\t\n\f\r ]/g, '');
  if (!BASE64.test(text)) throw mustBe('image', 'a data URL with valid base64', where);
  return Buffer.from(text, 'base64');
}

/** The bytes of a text in which `%41` stands for one byte. Other `%` are kept, as browsers do. */
function percentDecoded(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  if (!text.includes('%')) return bytes;
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes[at] === 0x25 ? bytes.toString('latin1', at + 1, at + 3) : '';
    const isEscape = /^[\da-f]{2}$/i.test(code);
    bytes[length++] = isEscape ? Number.parseInt(code, 16) : (bytes[at] ?? 0);
    if (isEscape) at += 2;
  }
  return bytes.subarray(0, length);
}

function tooLarge(got: string, where: string): Blip2Error {
  const expected = `at most ${MAX_DOWNLOAD_BYTES} bytes`;
  return new Blip2Error('IMAGE_TOO_LARGE', 'The data URL is too large', { where, expected, got });
}
