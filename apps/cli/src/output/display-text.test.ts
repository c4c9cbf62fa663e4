import { expect, test } from 'vitest';

import { byteSize, hundredth, jsonLine, oneLine } from './display-text.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [15_100_000_000, '15.1 GB'],
  [2e15, '2.0 PB'],
  [9e18, '9000.0 PB'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});

test('oneLine escapes control characters and line separators', () => {
  expect(oneLine('a\tb\r\n\u001b[31m\u2028é ☃')).toBe('a\\tb\\r\\n\\x1b[31m\\u2028é ☃');
});

test('oneLine escapes controls of the direction of text', () => {
  expect(oneLine('\u061c\u200e\u200f\u202a\u202e\u2066\u2069 \u05d0')).toBe(
    '\\u061c\\u200e\\u200f\\u202a\\u202e\\u2066\\u2069 \u05d0',
  );
});

test('jsonLine escapes what a terminal obeys, and parses to the same value', () => {
  const value = { text: 'a\u009b31m\u202eb\u2028\u007f"\n\u05d0' };
  expect(jsonLine(value)).toBe('{"text":"a\\u009b31m\\u202eb\\u2028\\u007f\\"\\n\u05d0"}\n');
  expect(JSON.parse(jsonLine(value))).toEqual(value);
});

test('hundredth rounds to two decimals', () => {
  expect([hundredth(1.005), hundredth(2.346), hundredth(3)]).toEqual([1, 2.35, 3]);
});
