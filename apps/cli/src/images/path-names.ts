import { isUtf8 } from 'node:buffer';
import { realpathSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/*
 * File names are bytes, on Linux of any encoding. A path is a string in which each byte that is not UTF-8 is a lone
 * surrogate, U+DC80 to U+DCFF, as in Python (PEP 383, `os.fsdecode`). Outputs contain the name of a path: the same text
 * with `\xe9` for such bytes. Names and paths can be converted into each other.
 */

/** First of the surrogates that stand for bytes. */
const SURROGATES = 0xdc00;
/** With the flag `u`, the second half of a pair does not match. */
const RAW_BYTE = /[\udc80-\udcff]/u;
/** An escaped byte in a name. */
const ESCAPED_BYTE = /\\x[89a-f][0-9a-f]/;
/** Characters of UTF-8 in bytes that are given as latin1, or one byte of no character. */
const CHARACTERS = new RegExp(
  [
    /[\0-\x7f]+|[\xc2-\xdf][\x80-\xbf]/,
    /(?:\xe0[\xa0-\xbf]|\xed[\x80-\x9f]|[\xe1-\xec\xee\xef][\x80-\xbf])[\x80-\xbf]/,
    /(?:\xf0[\x90-\xbf]|[\xf1-\xf3][\x80-\xbf]|\xf4[\x80-\x8f])[\x80-\xbf]{2}/,
    /[\x80-\xff]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);

/** On Windows names are UTF-16, and backslashes separate folders. */
const HAS_BYTE_NAMES = process.platform !== 'win32';

/** The path with these bytes. */
export function decodePath(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString();
  return buffer.toString('latin1').replace(CHARACTERS, (character) => {
    const isRaw = character.length === 1 && character > '\x7f';
    return isRaw ? rawByte(character.charCodeAt(0)) : Buffer.from(character, 'latin1').toString();
  });
}

/** A path for functions of `node:fs`: its bytes, if it is not UTF-8. */
export function systemPath(path: string): string | Buffer {
  if (!RAW_BYTE.test(path)) return path;
  const pieces = path.split(/([\udc80-\udcff])/u);
  return Buffer.concat(
    pieces.map((piece, index) =>
      Buffer.from(index % 2 === 1 ? [piece.charCodeAt(0) - SURROGATES] : Buffer.from(piece)),
    ),
  );
}

/** An image file for the library: a `file:` URL, if its path is not UTF-8. */
export function sourceOfPath(path: string): string | URL {
  const bytes = systemPath(path);
  if (typeof bytes === 'string') return bytes;
  const absolute = isAbsolute(path)
    ? bytes
    : Buffer.concat([realpathSync.native('.', 'buffer'), Buffer.from('/'), bytes]);
  return new URL(
    `file://${absolute
      .toString('latin1')
      .replace(/[^\w/.~-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`)}`,
  );
}

/** The name of a path in outputs. Different paths have different names. */
export function nameOfPath(path: string): string {
  if (!HAS_BYTE_NAMES || !(RAW_BYTE.test(path) || ESCAPED_BYTE.test(path))) return path;
  return path.replace(/\\|[\udc80-\udcff]/gu, (character) =>
    character === '\\' ? '\\\\' : `\\x${(character.charCodeAt(0) - SURROGATES).toString(16)}`,
  );
}

/** The path with this name. */
export function pathOfName(name: string): string {
  if (!HAS_BYTE_NAMES || !ESCAPED_BYTE.test(name)) return name;
  return name.replace(/\\(?:\\|x([89a-f][0-9a-f]))/g, (_escape, byte: string | undefined) =>
    byte === undefined ? '\\' : rawByte(Number.parseInt(byte, 16)),
  );
}

/** The file that an image's name stands for, for functions of `node:fs`; undefined for stdin and other URLs. */
export function fileOfName(name: string): string | Buffer | undefined {
  if (name === '-' || /^(?:https?|data):/i.test(name)) return undefined;
  return systemPath(/^file:/i.test(name) ? pathOfUrl(name) : pathOfName(name));
}

/** The path of a `file:` URL, as `fileURLToPath`, also of bytes that are not UTF-8; otherwise the URL itself. */
export function pathOfUrl(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    if (!HAS_BYTE_NAMES || !(error instanceof URIError)) return url;
    const bytes = new URL(url).pathname.replace(/%([0-9a-f]{2})/gi, (_escape, byte: string) =>
      String.fromCharCode(Number.parseInt(byte, 16)),
    );
    return decodePath(Buffer.from(bytes, 'latin1'));
  }
}

/** Joins a folder with a path, which may be absolute. */
export function inFolder(folder: string, path: string): string {
  return isAbsolute(path) || /^[a-z]:[\\/]/i.test(path) ? path : join(folder, path);
}

function rawByte(byte: number): string {
  return String.fromCharCode(SURROGATES + byte);
}
