/** A byte order mark, as latin1: UTF-8, UTF-32LE, UTF-16LE, UTF-32BE, UTF-16BE. */
const BYTE_ORDER_MARK = /^(?:\xef\xbb\xbf|\xff\xfe\0\0|\xff\xfe|\0\0\xfe\xff|\xfe\xff)/;
const SVG = /<(?:[\w.-]+:)?svg[\s>/]|<!DOCTYPE\s+svg/i;

/** Whether the first bytes of a file, given as latin1, contain the tag or the document type of SVG. */
export function containsSvg(head: string): boolean {
  return SVG.test(withoutZeros(head));
}

/** Whether a file, given as latin1, starts with `<` after at most a byte order mark and white space. */
export function isMarkup(head: string): boolean {
  // The first box of an ISO media file may have 60 bytes: its size would be read as a `<` in UTF-32.
  if (head.startsWith('\0') && head.startsWith('ftyp', 4)) return false;
  return /^\s*</.test(withoutZeros(head.replace(BYTE_ORDER_MARK, '')));
}

/** ASCII characters are the same in UTF-16 and UTF-32, but for zero bytes between them. */
function withoutZeros(head: string): string {
  return head.replaceAll('\0', '');
}
