import { expect, test } from 'vitest';

import { createStopText } from './stop-text.ts';

/** What is emitted for each piece, and at the end. */
function emitted(stops: readonly string[], pieces: readonly string[]): string[] {
  const text = createStopText(stops);
  return [...pieces.map((piece) => text.add(piece)), text.end()];
}

test.each([
  ['no stop strings', [], ['a', 'b'], ['a', 'b', '']],
  ['a stop string in a piece', ['.'], ['a b. c', 'd'], ['a b', '', '']],
  ['one across pieces', ['END'], ['xE', 'N', 'Dy', 'z'], ['x', '', '', '', '']],
  ['what only looks like its start', ['END'], ['xE', 'Nx'], ['x', 'ENx', '']],
  ['its start at the end of the text', ['END'], ['xEN'], ['x', 'EN']],
  ['one that begins again', ['aab'], ['aa', 'a', 'b!'], ['', 'a', '', '']],
  ['the first of several', ['c', 'b'], ['abc'], ['a', '']],
  ['one at the start', ['a'], ['a', 'b'], ['', '', '']],
])('%s', (_, stops, pieces, expected) => {
  expect(emitted(stops, pieces)).toEqual(expected);
});
