/** Maximum nesting depth. `tokenizer.json` has 8 levels. */
export const MAX_JSON_DEPTH = 64;
/** Maximum number of `NaN` and `Infinity` literals. Each is replaced before parsing. */
export const MAX_NON_FINITE = 4096;

/** Sizes of a JSON text. If a limit was reached, those up to there. */
export interface JsonCounts {
  readonly depth: number;
  readonly values: number;
  readonly containers: number;
  readonly keys: number;
}

/** A number that Python writes and JSON does not have. */
export interface NonFiniteLiteral {
  readonly name: 'NaN' | 'Infinity' | '-Infinity';
  /** Offset of the first character in bytes. */
  readonly start: number;
}

/** The result of `scanJson`. */
export interface JsonScan {
  readonly counts: JsonCounts;
  readonly literals: readonly NonFiniteLiteral[];
}

const [QUOTE, BACKSLASH, COMMA, COLON, MINUS] = [0x22, 0x5c, 0x2c, 0x3a, 0x2d];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];
const [LETTER_N, LETTER_I] = [0x4e, 0x49];

/**
 * Counts levels, values, containers and keys of a JSON text in one pass without allocating, and stops above a limit.
 * Checks no syntax: of a text that is not JSON the counts mean nothing, and `JSON.parse` refuses it.
 */
export function scanJson(
  bytes: Uint8Array,
  limits: { readonly maxValues: number; readonly maxContainers: number; readonly maxKeys: number },
): JsonScan {
  const { maxValues, maxContainers, maxKeys } = limits;
  const literals: NonFiniteLiteral[] = [];
  let [level, depth, values, containers, keys] = [0, 0, 1, 0, 0];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) i = endOfString(bytes, i);
    else if (byte === COMMA) values++;
    else if (byte === COLON) keys++;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      level++;
      if (level > depth) depth = level;
      containers++;
      values++;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) level--;
    else if (byte === LETTER_N || byte === LETTER_I) {
      const literal = literalAt(bytes, i);
      if (literal !== undefined) literals.push(literal);
    }
    if (depth > MAX_JSON_DEPTH || values > maxValues || containers > maxContainers || keys > maxKeys) break;
    if (literals.length > MAX_NON_FINITE) break;
  }
  return { counts: { depth, values, containers, keys }, literals };
}

/** Offset of the closing quote of the string that begins at `start`; the length of the text if it has none. */
function endOfString(bytes: Uint8Array, start: number): number {
  let i = start + 1;
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return i;
}

function literalAt(bytes: Uint8Array, letter: number): NonFiniteLiteral | undefined {
  if (matches(bytes, 'NaN', letter)) return { name: 'NaN', start: letter };
  if (!matches(bytes, 'Infinity', letter)) return undefined;
  if (bytes[letter - 1] !== MINUS) return { name: 'Infinity', start: letter };
  return isPartOfWord(bytes[letter - 2]) ? undefined : { name: '-Infinity', start: letter - 1 };
}

function matches(bytes: Uint8Array, word: string, start: number): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word.charCodeAt(i)) return false;
  const before = bytes[start - 1];
  return (
    (before === MINUS || !isPartOfWord(before)) &&
    !isPartOfWord(bytes[start + word.length]) &&
    !isKey(bytes, start + word.length)
  );
}

/** Whether a colon follows. Python does not accept `{NaN: 1}` either. */
function isKey(bytes: Uint8Array, end: number): boolean {
  let i = end;
  while (bytes[i] === 0x20 || bytes[i] === 0x09 || bytes[i] === 0x0a || bytes[i] === 0x0d) i++;
  return bytes[i] === COLON;
}

/** Whether a character would make a number or word longer: `1Infinity` must not become `11e999`. */
function isPartOfWord(byte: number | undefined): boolean {
  return byte !== undefined && /[\w.+-]/.test(String.fromCharCode(byte));
}
