import { randomUUID } from 'node:crypto';

import type { ErrorDetails } from '@blip2/interfaces';

import { type JsonCounts, MAX_JSON_DEPTH, MAX_NON_FINITE, type NonFiniteLiteral, scanJson } from './scan-json.ts';

/**
 * Limits on a JSON text, checked before `JSON.parse` allocates anything. `JSON.parse` needs 16 s and 1.3 GiB to refuse
 * 32 MB of brackets.
 */
export interface JsonLimits {
  /** Maximum number of values, default 4,194,304: five times a vocabulary of 256,000 pieces with scores. */
  readonly maxValues?: number;
  /** Maximum number of objects and lists, default 1,048,576. An empty one takes up to 90 bytes in memory. */
  readonly maxContainers?: number;
  /** Maximum number of object keys, default 1,048,576: four times the largest vocabulary in use. */
  readonly maxKeys?: number;
}

const DEFAULT_LIMITS: Required<JsonLimits> = { maxValues: 2 ** 22, maxContainers: 2 ** 20, maxKeys: 2 ** 20 };

/** Creates the error for a text that is not JSON: the broken rule as a clause, and details. */
export type InvalidJson = (rule: string, details: Pick<ErrorDetails, 'expected' | 'got' | 'fix'>) => Error;

const WRONG_FILE = 'Check that it is the right file';
const INCOMPLETE = 'Download or copy the file again, it may be incomplete';

/**
 * Parses JSON from an untrusted file or response. Like the `json` module of Python, accepts `NaN`, `Infinity` and
 * `-Infinity` as numbers. A UTF-8 byte order mark is skipped.
 * @throws the error of `invalid` for other encodings, wrong syntax, more than 64 levels, or too many values. The error
 * does not quote the text, which may be a file that the caller must not see.
 */
export function parseJson(bytes: Uint8Array, invalid: InvalidJson, limits: JsonLimits = {}): unknown {
  if (bytes.byteLength === 0) throw invalid('it is empty', { fix: INCOMPLETE });
  if (looksLikeUtf16(bytes)) throw invalid('it is UTF-16', { expected: 'UTF-8', fix: 'Save the file as UTF-8' });
  const { counts, literals } = scanJson(bytes, { ...DEFAULT_LIMITS, ...limits });
  refuseExcess({ ...counts, nonFinite: literals.length }, { ...DEFAULT_LIMITS, ...limits }, invalid);
  const text = decode(bytes, invalid);
  return literals.length === 0 ? parse(text, invalid) : parseWithLiterals(bytes, literals, invalid);
}

/** Whether every second byte of the beginning is zero, or a byte order mark of UTF-16 precedes it. */
function looksLikeUtf16([first, second, third, fourth]: Uint8Array): boolean {
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true;
  return (first !== 0 && second === 0 && fourth === 0) || (first === 0 && second !== 0 && third === 0);
}

function refuseExcess(
  counts: JsonCounts & { readonly nonFinite: number },
  limits: Required<JsonLimits>,
  invalid: InvalidJson,
): void {
  const excess = (what: string, got: number, limit: number): void => {
    if (got > limit)
      throw invalid(`it has too many ${what}`, {
        expected: `at most ${limit}`,
        got: `${got} or more`,
        fix: WRONG_FILE,
      });
  };
  excess('levels', counts.depth, MAX_JSON_DEPTH);
  excess('values', counts.values, limits.maxValues);
  excess('objects and lists', counts.containers, limits.maxContainers);
  excess('keys', counts.keys, limits.maxKeys);
  excess('numbers that are not finite', counts.nonFinite, MAX_NON_FINITE);
}

function decode(bytes: Uint8Array, invalid: InvalidJson): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid('it is not UTF-8', { expected: 'UTF-8', fix: INCOMPLETE });
  }
}

function parse(text: string, invalid: InvalidJson, reviver?: (key: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, reviver);
  } catch (error) {
    // The message of a SyntaxError quotes the text.
    const position = /at position (\d+)/.exec(String(error))?.[1];
    const before = text.slice(0, Number(position ?? text.length)).split('\n');
    throw invalid('its syntax is wrong', {
      got:
        position === undefined
          ? 'an unexpected character or end'
          : `line ${before.length}, column ${before.at(-1)!.length + 1}`,
      fix: INCOMPLETE,
    });
  }
}

/** JavaScript reads `1e999` as infinity, but has no number that is read as NaN: an unguessable string stands for it. */
function parseWithLiterals(bytes: Uint8Array, literals: readonly NonFiniteLiteral[], invalid: InvalidJson): unknown {
  const nan = `NaN:${randomUUID()}`;
  const replacements = { NaN: JSON.stringify(nan), Infinity: '1e999', '-Infinity': '-1e999' };
  const parts: string[] = [];
  let position = 0;
  for (const { start, name } of literals) {
    parts.push(decode(bytes.subarray(position, start), invalid), replacements[name]);
    position = start + name.length;
  }
  parts.push(decode(bytes.subarray(position), invalid));
  return parse(parts.join(''), invalid, (_, value) => (value === nan ? Number.NaN : value));
}
