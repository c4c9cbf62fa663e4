import { invalidTokenizer } from './components.ts';

/** Longer graphemes, in UTF-8 bytes, are looked up character by character (`spm_precompiled` in Rust). */
const MAX_GRAPHEME_BYTES = 5;

/** Returns the replacement of a chunk; `undefined` if it has none. */
type Lookup = (chunk: string) => string | undefined;

/**
 * Creates a normaliser from SentencePiece's precompiled character map: a double-array trie over UTF-8 (darts-clone)
 * whose values are offsets of NUL-terminated replacements. Applied per grapheme, as in the Rust library; the shortest
 * matching prefix determines the replacement of the whole chunk.
 * @throws Blip2Error `INVALID_TOKENIZER` for damaged data.
 */
export function createCharsmap(base64: string): (text: string) => string {
  const lookUp = cached(readCharsmap(Buffer.from(base64, 'base64')));
  const encoder = new TextEncoder();
  const replace = (grapheme: string): string => {
    const whole =
      grapheme.length <= MAX_GRAPHEME_BYTES && encoder.encode(grapheme).length <= MAX_GRAPHEME_BYTES
        ? lookUp(grapheme)
        : undefined;
    if (whole !== undefined) return whole;
    let result = '';
    for (const character of grapheme) result += lookUp(character) ?? character;
    return result;
  };
  return (text) => {
    let result = '';
    for (const grapheme of graphemes(text)) result += replace(grapheme);
    return result;
  };
}

/** A character that is a grapheme by itself if its neighbours are such characters too; a line break counts as one. */
const SIMPLE =
  '(?:\\r\\n|[\\0-\\x7f]|(?=\\p{L})' +
  '[\\p{Script=Latin}\\p{Script=Greek}\\p{Script=Cyrillic}\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}])';
/** Text that requires a segmenter, with adjacent simple characters, which may belong to one of its graphemes. */
const COMPLEX_TEXT = new RegExp(`${SIMPLE}?(?:(?!${SIMPLE})[^])(?:(?!${SIMPLE}${SIMPLE})[^])*${SIMPLE}?`, 'gu');
const SIMPLE_CHARACTER = /\r\n|[^]/gu;
const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** Splits a text into grapheme clusters. Uses the segmenter (20 microseconds per cluster) for complex text only. */
function* graphemes(text: string): Generator<string> {
  let end = 0;
  for (const { 0: complex, index } of text.matchAll(COMPLEX_TEXT)) {
    yield* text.slice(end, index).match(SIMPLE_CHARACTER) ?? [];
    for (const { segment } of segmenter.segment(complex)) yield segment;
    end = index + complex.length;
  }
  yield* text.slice(end).match(SIMPLE_CHARACTER) ?? [];
}

function readCharsmap(bytes: Buffer): Lookup {
  const trieBytes = bytes.length >= 4 ? bytes.readUInt32LE(0) : -1;
  if (trieBytes <= 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length)
    throw invalidTokenizer('The precompiled character map is damaged');
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, index) => bytes.readUInt32LE(4 + index * 4));
  const replacements = bytes.subarray(4 + trieBytes);
  const encoder = new TextEncoder();
  return (chunk) => {
    const offset = firstMatch(units, encoder.encode(chunk));
    if (offset === undefined) return undefined;
    const end = replacements.indexOf(0, offset);
    return replacements.toString('utf8', offset, end < 0 ? replacements.length : end);
  };
}

/** Follows the key in the trie to the first node with a value. Bit layout: darts-clone's `DoubleArrayUnit`. */
function firstMatch(units: Uint32Array, key: Uint8Array): number | undefined {
  let position = offsetOf(units[0] ?? 0);
  for (const byte of key) {
    if (byte === 0) return undefined;
    position ^= byte;
    const unit = units[position];
    // A leaf (bit 31) never equals a byte. A position outside the array means that the data is damaged.
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
    position ^= offsetOf(unit);
    if ((unit >>> 8) & 1) return (units[position] ?? 0) & 0x7fffffff;
  }
  return undefined;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
}

/** Maximum number of cached look-ups. */
const MAX_CACHED = 4096;

/** Caches look-ups, because characters repeat. */
function cached(lookUp: Lookup): Lookup {
  const known = new Map<string, string | undefined>();
  return (chunk) => {
    if (known.has(chunk)) return known.get(chunk);
    if (known.size >= MAX_CACHED) known.clear();
    const replacement = lookUp(chunk);
    known.set(chunk, replacement);
    return replacement;
  };
}
