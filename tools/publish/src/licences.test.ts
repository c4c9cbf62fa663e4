import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { isAllowed, licenceReport } from './licences.ts';

test.each([
  ['a', 'MIT', true],
  ['a', '(MIT OR GPL-3.0-only)', true],
  ['a', 'MIT AND GPL-3.0-only', false],
  ['a', 'GPL-3.0-only', false],
  ['a', 'none', false],
  ['@img/sharp-libvips-linux-x64', 'LGPL-3.0-or-later', true],
  ['a', 'LGPL-3.0-or-later', false],
])('%s under %s: %s', (name, licence, allowed) => {
  expect(isAllowed(name, licence)).toBe(allowed);
});

test('looks at what users install, and names what is not allowed', async () => {
  const root = await mkdtemp(join(tmpdir(), 'blip2-licences-'));
  try {
    const packages = {
      '': { name: 'root' },
      'libs/x': {},
      'node_modules/@blip2/x': { link: true },
      'node_modules/a': { license: 'MIT' },
      'node_modules/b': { license: 'SSPL-1.0' },
      'node_modules/c': { license: 'SSPL-1.0', dev: true },
    };
    await writeFile(join(root, 'package-lock.json'), JSON.stringify({ packages }));
    expect(await licenceReport(root)).toEqual({
      counts: { MIT: 1, 'SSPL-1.0': 1 },
      problems: ['b has the licence SSPL-1.0'],
    });
  } finally {
    await rm(root, { recursive: true });
  }
});

test('the run-time dependencies of the repository are allowed', async () => {
  const { counts, problems } = await licenceReport(join(import.meta.dirname, '../../..'));
  expect(problems).toEqual([]);
  expect(counts['MIT']).toBeGreaterThan(5);
});
