import { Writable } from 'node:stream';

import { expect, test } from 'vitest';

import { canShowProgress, lineWidth } from './terminal.ts';

const terminal = (settings: { readonly isTTY?: boolean; readonly columns?: number }): Writable & typeof settings =>
  Object.assign(new Writable(), settings);

test.each([
  [{ isTTY: true }, {}, true],
  [{ isTTY: false }, {}, false],
  [{}, {}, false],
  [{ isTTY: true }, { CI: '1' }, false],
  [{ isTTY: true }, { TERM: 'dumb' }, false],
  [{ isTTY: true }, { TERM: 'xterm' }, true],
])('progress on %j with %j: %s', (settings, variables, expected) => {
  expect(canShowProgress({ stderr: terminal(settings), variables })).toBe(expected);
});

test('a line leaves the last column free; a terminal without a width has 80 columns', () => {
  expect([100, 0, undefined].map((columns) => lineWidth(columns === undefined ? {} : { columns }))).toEqual([
    99, 79, 79,
  ]);
});
