import { expect, test } from 'vitest';

import { nearestName } from './nearest-name.ts';

const names = ['--max-new-tokens', '--max-length', '--min-length', '--model', '--json'];

test.each([
  ['--max-new-token', '--max-new-tokens'],
  ['--maxNewTokens', '--max-new-tokens'],
  ['--max_length', '--max-length'],
  ['--jsno', '--json'],
  ['--modle', '--model'],
  ['--verbosity', undefined],
  ['-x', undefined],
])('%s is nearest to %s', (wrong, expected) => {
  expect(nearestName(wrong, names)).toBe(expected);
});
