import { CONSONANTS, CONTROLS, EXTENDERS, LINKERS, PICTOGRAPHS, PREPENDED, SPACING_MARKS } from './grapheme-classes.ts';

const CONTROL = 1;
const PREPEND = 2;
const SPACING_MARK = 4;
const EXTEND = 8;
const PICTOGRAPH = 16;
const CONSONANT = 32;
const LINKER = 64;
const ZERO_WIDTH_JOINER = 0x200d;
const ZERO_WIDTH_NON_JOINER = 0x200c;

let classTable: Uint8Array | undefined;

/** The properties of all code points: 1.1 MB, created at the first use. */
function classes(): Uint8Array {
  if (classTable) return classTable;
  const table = new Uint8Array(0x110000);
  const properties: readonly (readonly [string, number])[] = [
    [CONTROLS, CONTROL],
    [PREPENDED, PREPEND],
    [SPACING_MARKS, SPACING_MARK],
    [EXTENDERS, EXTEND],
    [PICTOGRAPHS, PICTOGRAPH],
    [CONSONANTS, CONSONANT],
    [LINKERS, LINKER],
  ];
  for (const [ranges, bit] of properties) {
    for (const range of ranges.split(' ')) {
      const [first = 0, last = first] = range.split('-').map((code) => Number.parseInt(code, 16));
      for (let code = first; code <= last; code++) table[code] = (table[code] ?? 0) | bit;
    }
  }
  return (classTable = table);
}

/**
 * Creates a function that finds the end of the grapheme cluster that starts at an offset of a text, both in UTF-16 code
 * units. Source: the rules GB3 to GB13 of Unicode Standard Annex 29. Linear in the length of the cluster.
 */
export function createClusterEnd(): (text: string, start: number) => number {
  const table = classes();
  return (text, start) => {
    let code = text.codePointAt(start) ?? 0;
    let end = start + (code > 0xffff ? 2 : 1);
    let kind = table[code] ?? 0;
    if (kind & CONTROL) return code === 0x0d && text.charCodeAt(end) === 0x0a ? end + 1 : end;
    /** 1 after a pictograph and extenders, 2 after a zero width joiner as well. */
    let emoji = kind & PICTOGRAPH ? 1 : 0;
    /** 1 after a consonant, 2 after a linker as well. */
    let conjunct = kind & CONSONANT ? 1 : 0;
    let indicators = isRegionalIndicator(code) ? 1 : 0;
    while (end < text.length) {
      const next = text.codePointAt(end) ?? 0;
      const nextKind = table[next] ?? 0;
      if (nextKind & CONTROL) break;
      const isJoined =
        (nextKind & (EXTEND | SPACING_MARK)) !== 0 ||
        next === ZERO_WIDTH_JOINER ||
        (kind & PREPEND) !== 0 ||
        (emoji === 2 && (nextKind & PICTOGRAPH) !== 0) ||
        (conjunct === 2 && (nextKind & CONSONANT) !== 0) ||
        (indicators === 1 && isRegionalIndicator(next)) ||
        joinsHangul(code, next);
      if (!isJoined) break;
      emoji = nextKind & PICTOGRAPH ? 1 : emoji !== 1 ? 0 : next === ZERO_WIDTH_JOINER ? 2 : nextKind & EXTEND ? 1 : 0;
      if (nextKind & CONSONANT) conjunct = 1;
      else if (conjunct > 0 && nextKind & LINKER) conjunct = 2;
      else if (!(nextKind & EXTEND || next === ZERO_WIDTH_JOINER) || next === ZERO_WIDTH_NON_JOINER) conjunct = 0;
      indicators = isRegionalIndicator(next) ? indicators + 1 : 0;
      [code, kind] = [next, nextKind];
      end += next > 0xffff ? 2 : 1;
    }
    return end;
  };
}

function isRegionalIndicator(code: number): boolean {
  return code >= 0x1f1e6 && code <= 0x1f1ff;
}

/** Rules GB6 to GB8: leading consonants, vowels and trailing consonants of a syllable. */
function joinsHangul(code: number, next: number): boolean {
  if (code < 0x1100 || next < 0x1100) return false;
  if (isLeading(code)) return isLeading(next) || isVowel(next) || isSyllable(next);
  if (isVowel(code) || (isSyllable(code) && (code - 0xac00) % 28 === 0)) return isVowel(next) || isTrailing(next);
  return (isTrailing(code) || isSyllable(code)) && isTrailing(next);
}

function isLeading(code: number): boolean {
  return (code >= 0x1100 && code <= 0x115f) || (code >= 0xa960 && code <= 0xa97c);
}

function isVowel(code: number): boolean {
  return (
    (code >= 0x1160 && code <= 0x11a7) ||
    (code >= 0xd7b0 && code <= 0xd7c6) ||
    code === 0x16d63 ||
    (code >= 0x16d67 && code <= 0x16d6a)
  );
}

function isTrailing(code: number): boolean {
  return (code >= 0x11a8 && code <= 0x11ff) || (code >= 0xd7cb && code <= 0xd7fb);
}

function isSyllable(code: number): boolean {
  return code >= 0xac00 && code <= 0xd7a3;
}
