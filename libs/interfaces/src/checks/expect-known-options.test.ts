import { expect, test } from 'vitest';

import { Blip2Error } from '../errors.ts';
import { expectKnownOptions } from './expect-known-options.ts';

const KNOWN = ['doResize', 'paddingSide', 'maxLength'];
const REPLACEMENTS = { returnTensors: 'The result always consists of arrays' };

function messageOf(options: unknown, known: readonly string[] = KNOWN): string {
  try {
    expectKnownOptions('process', options, known, REPLACEMENTS);
  } catch (error) {
    if (error instanceof Blip2Error) return `${error.code}: ${error.message}`;
  }
  return 'accepted';
}

test.each([undefined, {}, { doResize: false }, { maxLength: 3, paddingSide: 'left' }, { foo: undefined }])(
  'accepts %j',
  (options) => {
    expect(messageOf(options)).toBe('accepted');
  },
);

test.each([
  ['do_resize', 'Did you mean "doResize"?'],
  ['DoResize', 'Did you mean "doResize"?'],
  ['padding_side', 'Did you mean "paddingSide"?'],
  ['maxlenght', 'Did you mean "maxLength"?'],
  ['verbose', 'The options are doResize, paddingSide, maxLength'],
  ['toString', 'The options are doResize, paddingSide, maxLength'],
  ['returnTensors', 'The result always consists of arrays'],
])('refuses %s', (name, fix) => {
  expect(messageOf({ doResize: true, [name]: false })).toBe(
    `UNKNOWN_OPTION: Unknown option "${name}" (process). ${fix}`,
  );
});

test('names the option in the details', () => {
  expect(() => expectKnownOptions('process', { do_resize: true }, KNOWN)).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ argument: 'do_resize' }) }),
  );
});

test('shortens long names', () => {
  const name = 'doResize'.repeat(100_000);
  expect(messageOf({ [name]: 1 })).toBe(
    `UNKNOWN_OPTION: Unknown option "${name.slice(0, 60)}…" (process). The options are ${KNOWN.join(', ')}`,
  );
});

test('refuses any option where none exists', () => {
  expect(messageOf({ a: 1 }, [])).toBe('UNKNOWN_OPTION: Unknown option "a" (process). There are no options');
});

test.each([null, 'pt', 3, [], new Uint8Array(3)])('refuses %j in place of an object', (options) => {
  expect(messageOf(options)).toMatch(/^INVALID_ARGUMENT: options must be an object, got /);
});
