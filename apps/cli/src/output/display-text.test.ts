import { expect, test } from 'vitest';

import { byteSize, hundredth, oneLine } from './display-text.ts';

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

test('hundredth rounds to two decimals', () => {
  expect([hundredth(1.005), hundredth(2.346), hundredth(3)]).toEqual([1, 2.35, 3]);
});
