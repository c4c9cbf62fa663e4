import type { Blip2Error } from '@blip2/interfaces';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
/** 2^53 - 1 has 16 digits. */
const MAX_DIGITS = 16;
const LONE_SURROGATE = /\p{Surrogate}/u;
/** Maximum nesting depth of a value that is skipped. */
const MAX_SKIPPED_DEPTH = 64;
/** A number, true, false or null. */
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/**
 * Parser for the subset of JSON in a safetensors header: objects, lists of integers, strings. Stricter than
 * `JSON.parse`, which silently keeps the last of two equal keys and rounds large integers.
 */
export class HeaderScanner {
  readonly #source: string;
  readonly #invalid: (rule: string) => Blip2Error;
  #position = 0;

  /** `invalid` creates the error for a broken rule. */
  constructor(source: string, invalid: (rule: string) => Blip2Error) {
    this.#source = source;
    this.#invalid = invalid;
  }

  /** Creates the error for a broken rule at the current position. */
  fail(rule: string): Blip2Error {
    return this.#invalid(`${rule}, at character ${this.#position} of the header`);
  }

  /**
   * Reads an object. Calls `member` with each key; `member` must read the value.
   * @throws the error of `fail`.
   */
  object(member: (key: string) => void): void {
    this.#expect('{');
    const seen = new Set<string>();
    if (this.#takes('}')) return;
    do {
      const key = this.string();
      if (seen.has(key)) throw this.fail(`the key ${JSON.stringify(key.slice(0, 80))} occurs twice`);
      seen.add(key);
      this.#expect(':');
      member(key);
    } while (this.#takes(','));
    this.#expect('}');
  }

  /**
   * Reads a list of at most `limit` non-negative integers.
   * @throws the error of `fail`.
   */
  integers(limit: number): number[] {
    const items: number[] = [];
    this.#expect('[');
    if (this.#takes(']')) return items;
    do {
      if (items.length === limit) throw this.fail(`a list has more than ${limit} numbers`);
      items.push(this.#integer());
    } while (this.#takes(','));
    this.#expect(']');
    return items;
  }

  /**
   * Reads a string.
   * @throws the error of `fail`.
   */
  string(): string {
    this.#skipSpace();
    const start = this.#position;
    if (this.#source.charCodeAt(start) !== QUOTE) throw this.fail('a string was expected');
    let end = start + 1;
    for (let code = this.#source.charCodeAt(end); code !== QUOTE; code = this.#source.charCodeAt(end)) {
      if (!(code >= FIRST_PRINTABLE)) throw this.fail('a string does not end, or contains a control character');
      end += code === BACKSLASH ? 2 : 1;
    }
    const value = this.#unescape(this.#source.slice(start, end + 1));
    this.#position = end + 1;
    return value;
  }

  /** Reads `null`; false if something else follows. */
  null(): boolean {
    this.#skipSpace();
    const found = this.#source.startsWith('null', this.#position);
    if (found) this.#position += 'null'.length;
    return found;
  }

  /**
   * Reads and ignores a value of any kind.
   * @throws the error of `fail`.
   */
  skip(depth: number = 0): void {
    if (depth > MAX_SKIPPED_DEPTH) throw this.fail(`a value has more than ${MAX_SKIPPED_DEPTH} levels`);
    this.#skipSpace();
    const character = this.#source[this.#position];
    if (character === '"') this.string();
    else if (character === '{') this.object(() => this.skip(depth + 1));
    else if (this.#takes('[')) {
      if (this.#takes(']')) return;
      do this.skip(depth + 1);
      while (this.#takes(','));
      this.#expect(']');
    } else {
      SCALAR.lastIndex = this.#position;
      if (!SCALAR.test(this.#source)) throw this.fail('a value was expected');
      this.#position = SCALAR.lastIndex;
    }
  }

  /**
   * Expects the end of the header.
   * @throws the error of `fail`.
   */
  end(): void {
    this.#skipSpace();
    if (this.#position !== this.#source.length) throw this.fail('something follows the closing brace');
  }

  #unescape(literal: string): string {
    if (!literal.includes('\\')) return literal.slice(1, -1);
    try {
      const value: unknown = JSON.parse(literal);
      if (typeof value === 'string' && !LONE_SURROGATE.test(value)) return value;
    } catch {
      // Falls through to the error below.
    }
    throw this.fail('a string has an invalid escape');
  }

  #integer(): number {
    this.#skipSpace();
    const start = this.#position;
    let end = start;
    while (isDigit(this.#source.charCodeAt(end)) && end - start <= MAX_DIGITS) end++;
    const digits = this.#source.slice(start, end);
    const value = Number(digits);
    if (digits === '' || (digits.length > 1 && digits.startsWith('0'))) throw this.fail('a whole number was expected');
    if (!Number.isSafeInteger(value)) throw this.fail('a number is above 2^53 - 1');
    this.#position = end;
    return value;
  }

  #takes(character: string): boolean {
    this.#skipSpace();
    if (this.#source[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #expect(character: string): void {
    if (!this.#takes(character)) throw this.fail(`"${character}" was expected`);
  }

  #skipSpace(): void {
    while (isSpace(this.#source.charCodeAt(this.#position))) this.#position++;
  }
}

const isDigit = (code: number): boolean => code >= DIGIT_0 && code <= DIGIT_9;
const isSpace = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
