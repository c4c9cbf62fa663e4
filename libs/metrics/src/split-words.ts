/** White space as `str.split()` of Python sees it: that of Unicode, and the separators of ASCII. */

const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;

/** The words of a text between white space, as `str.split()` of Python. */
export function splitWords(text: string): string[] {
  return text.split(SPACE).filter((word) => word !== '');
}

/** A text without white space at its ends, as `str.strip()` of Python. */
export function strip(text: string): string {
  return text.replace(new RegExp(`^${SPACE.source}|${SPACE.source}$`, 'gu'), '');
}
