import { expect, test } from 'vitest';

import { bash } from '../fixtures/spawn-blip2.ts';

test.each([
  ['caption --quiet examples/small-one.png'],
  ['caption --quiet --json examples/small-one.png'],
  ['compare apps/cli/models/blip2-t5-shapes examples/small-one.png --dtype fp32,int8'],
  ['caption --help'],
  ['--version'],
])('blip2 %s fails with a code if stdout is full', async (line) => {
  const { exitCode, stderr } = await bash(`blip2 ${line} > /dev/full`);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^WRITE_FAILED: The output cannot be written \(stdout\): got (ENOSPC: )?no space left/m);
});

test('blip2 caption succeeds if the reader of stdout ends', async () => {
  const { exitCode, stderr } = await bash('blip2 caption --quiet examples/*.png | head -1');
  expect([exitCode, stderr]).toEqual([0, '']);
});
