import { tmpdir } from 'node:os';

import { expect, test } from 'vitest';

import { requireSpace } from './require-space.ts';

test('allows what fits and what cannot be checked, and refuses the rest', async () => {
  await requireSpace(tmpdir(), 1);
  await requireSpace('/does/not/exist', 2 ** 53);
  await expect(requireSpace(tmpdir(), 2 ** 53)).rejects.toMatchObject({
    code: 'WRITE_FAILED',
    details: { where: tmpdir(), expected: `${2 ** 53} bytes` },
  });
});
