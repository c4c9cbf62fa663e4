import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { createCharsmap } from '../charsmap.ts';
import { MARKS, normalForm } from './normal-forms.ts';

interface Recorded {
  /** SHA-256 of results, one line per code point. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly order: string;
  readonly patterns: readonly string[];
  readonly mixed: readonly string[];
  readonly counts: readonly number[];
}

/** Recorded with the Rust library by `fixtures/make-fixtures.py`. */
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/unicode.json'), 'utf8')) as Recorded;
const characters = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code)).filter(
  (character, code) => code > 0 && (code < 0xd800 || code > 0xdfff),
);

function digest(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

test.each(['NFC', 'NFD', 'NFKC', 'NFKD'] as const)('%s of all code points equals the Rust library', (form) => {
  expect(digest(characters.map((character) => normalForm(character, form)))).toBe(recorded.hashes[form]);
});

test('the order of marks around all code points equals the Rust library', () => {
  const normalised = characters.map((character) =>
    normalForm(
      recorded.order.replace('{}', () => character),
      'NFD',
    ),
  );
  expect(digest(normalised)).toBe(recorded.hashes['order']);
});

test('the marks that are stripped equal the Rust library', () => {
  expect(digest(characters.map((character) => character.replaceAll(MARKS, '')))).toBe(recorded.hashes['StripAccents']);
});

/** A character map for every byte: a cluster of at most five bytes becomes one P, others one per character. */
function countingMap(): (text: string) => string {
  const units = new Uint32Array(769);
  units[0] = 4 * 768;
  units[1] = 256 << 10;
  for (let byte = 1; byte < 256; byte++) {
    units[1 + 256 + byte] = (768 << 10) | (1 << 8) | byte;
    units[1 + 512 + byte] = 0x80000000;
  }
  return createCharsmap(Buffer.concat([Buffer.from(units.buffer), Buffer.from('P\0')]).toString('base64'));
}

test('grapheme clusters equal the Rust library', () => {
  const count = countingMap();
  expect(recorded.mixed.map((text) => count(text).length)).toEqual(recorded.counts);
});

test('grapheme clusters around the code points of two planes equal the Rust library', { timeout: 60_000 }, () => {
  const count = countingMap();
  const near = characters.filter((character) => {
    const code = character.codePointAt(0) ?? 0;
    return code < 0x20000 || (code >= 0xe0000 && code < 0xe1000);
  });
  const lines = near.map((character) =>
    recorded.patterns.map((pattern) => String(count(pattern.replace('{}', () => character)).length)).join(''),
  );
  expect(digest(lines)).toBe(recorded.hashes['clusters']);
});
