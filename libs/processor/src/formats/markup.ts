/** Byte order marks as latin1: UTF-8, UTF-32LE, UTF-16LE, UTF-32BE, UTF-16BE. */
const BYTE_ORDER_MARK = /^(?:\xef\xbb\xbf|\xff\xfe\0\0|\xff\xfe|\0\0\xfe\xff|\xfe\xff)/;
const SVG = /<(?:[\w.-]+:)?svg[\s>/]|<!DOCTYPE\s+svg/i;

/** Whether the first bytes of a file, given as latin1, contain the SVG tag or document type. */
export function containsSvg(head: string): boolean {
  return SVG.test(withoutZeros(head));
}

/** Whether a file, given as latin1, starts with `<`, optionally after a byte order mark and white space. */
export function isMarkup(head: string): boolean {
  // The size field of a 60-byte box in an ISO media file looks like `<` in UTF-32.
  if (head.startsWith('\0') && head.startsWith('ftyp', 4)) return false;
  return /^\s*</.test(withoutZeros(head.replace(BYTE_ORDER_MARK, '')));
}

/** Reduces UTF-16 and UTF-32 to ASCII, from which they differ by zero bytes only. */
function withoutZeros(head: string): string {
  return head.replaceAll('\0', '');
}
