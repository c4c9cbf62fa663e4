import { expandsTooMuch, invalidTokenizer } from './components.ts';
import { MAX_NORMALIZED_LENGTH, MAX_REPLACEMENT_BYTES } from './limits.ts';
import { createClusterEnd } from './unicode/graphemes.ts';

/** Longer graphemes, in UTF-8 bytes, are looked up character by character (`spm_precompiled` in Rust). */
const MAX_GRAPHEME_BYTES = 5;

/** Returns the replacement of a chunk; `undefined` if it has none. */
type Lookup = (chunk: string) => string | undefined;

/**
 * Creates a normaliser from SentencePiece's precompiled character map: a double-array trie over UTF-8 (darts-clone)
 * whose values are offsets of NUL-terminated replacements. Applied per grapheme cluster, as in the Rust library; the
 * shortest matching prefix determines the replacement of the whole chunk.
 * @throws Blip2Error `INVALID_TOKENIZER` for damaged data and, when it runs, for replacements that are too long.
 */
export function createCharsmap(base64: string): (text: string) => string {
  const lookUp = cached(readCharsmap(Buffer.from(base64, 'base64')));
  const clusterEnd = createClusterEnd();
  return (text) => {
    let result = '';
    for (let start = 0; start < text.length;) {
      const end = clusterEnd(text, start);
      const whole = isShort(text, start, end) ? lookUp(text.slice(start, end)) : undefined;
      if (whole !== undefined) {
        result += whole;
        start = end;
      }
      while (start < end) {
        const character = String.fromCodePoint(text.codePointAt(start) ?? 0);
        result += lookUp(character) ?? character;
        start += character.length;
      }
      if (result.length > MAX_NORMALIZED_LENGTH) throw expandsTooMuch('normalizer', MAX_NORMALIZED_LENGTH);
    }
    return result;
  };
}

/** Whether a cluster has several characters and is short enough for a look-up as a whole. */
function isShort(text: string, start: number, end: number): boolean {
  if (end - start < 2 || end - start > MAX_GRAPHEME_BYTES) return false;
  let bytes = 0;
  for (let i = start; i < end; i++) {
    const unit = text.charCodeAt(i);
    // Surrogates come in pairs, which have four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3;
  }
  return bytes <= MAX_GRAPHEME_BYTES;
}

function readCharsmap(bytes: Buffer): Lookup {
  const trieBytes = bytes.length >= 4 ? bytes.readUInt32LE(0) : -1;
  if (trieBytes <= 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length)
    throw invalidTokenizer('The precompiled character map is damaged');
  const units = new Uint32Array(trieBytes / 4);
  for (let i = 0; i < units.length; i++) units[i] = bytes.readUInt32LE(4 + i * 4);
  const replacements = bytes.subarray(4 + trieBytes);
  const encoder = new TextEncoder();
  return (chunk) => {
    const offset = firstMatch(units, encoder.encode(chunk));
    if (offset === undefined) return undefined;
    const replacement = replacements.subarray(offset, offset + MAX_REPLACEMENT_BYTES + 1);
    const end = replacement.indexOf(0);
    if (end < 0 && replacement.length > MAX_REPLACEMENT_BYTES)
      throw invalidTokenizer('The precompiled character map has a replacement that is too long', {
        expected: `at most ${MAX_REPLACEMENT_BYTES} bytes`,
      });
    return replacement.toString('utf8', 0, end < 0 ? replacement.length : end);
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
