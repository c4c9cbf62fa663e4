import { mustBe } from '@blip2/interfaces';

import { decodePath } from './path-names.ts';

/** One entry of a list, and its place in messages. */
export interface ListEntry {
  readonly text: string;
  readonly where: string;
}

/** Number of bytes in which the encoding is detected. */
const HEAD_BYTES = 32_768;
/** UTF-16 without a byte order mark: a dot before two letters, each with a zero byte. */
const UNMARKED_UTF16 = /\.\0[^\0]\0[^\0]\0|\0\.\0[^\0]\0[^\0]/;
/** First bytes of images, archives, spreadsheets and PDF, as latin1. */
const BINARY = /^(?:\xff\xd8\xff|\x89PNG|GIF8|RIFF|II\*\0|MM\0\*|\x1f\x8b|PK\x03\x04|%PDF|[\s\S]{4}ftyp)/;
const ENCODING = { expected: 'UTF-8, or UTF-16 with a byte order mark', fix: 'Save it as UTF-8' };

/**
 * Splits a list into entries, without blank ones: lines, or entries that end with NUL. UTF-16 is decoded by its byte
 * order mark. Bytes that are not UTF-8 are kept, because file names are bytes.
 * @throws Blip2Error `INVALID_ARGUMENT` for other encodings and for binary files.
 */
export function entriesOf(bytes: Uint8Array, file: string): ListEntry[] {
  const text = decodeList(bytes, file);
  const entries: ListEntry[] = [];
  for (const [index, line] of text.split(text.includes('\0') ? '\0' : /\r?\n/).entries()) {
    const where = `${file}:${index + 1}`;
    if (line.trim() !== '') entries.push({ text: line, where });
  }
  return entries;
}

function decodeList(bytes: Uint8Array, where: string): string {
  const start = Buffer.from(bytes.subarray(0, 4)).toString('latin1');
  const refused = (got: string): Error =>
    mustBe('The encoding of the list', ENCODING.expected, got, { where, fix: ENCODING.fix });
  if (start === '\xff\xfe\0\0' || start === '\0\0\xfe\xff') throw refused('UTF-32');
  if (start.startsWith('\xff\xfe')) return new TextDecoder('utf-16le').decode(bytes);
  if (start.startsWith('\xfe\xff')) return new TextDecoder('utf-16be').decode(bytes);
  const latin1 = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, HEAD_BYTES)).toString('latin1');
  if (BINARY.test(latin1))
    throw mustBe('A list of images', 'a text file', 'the bytes of another file', { where, fix: 'Leave out the @' });
  if (UNMARKED_UTF16.test(latin1)) throw refused('UTF-16 without a byte order mark');
  return decodePath(start.startsWith('\xef\xbb\xbf') ? bytes.subarray(3) : bytes);
}
