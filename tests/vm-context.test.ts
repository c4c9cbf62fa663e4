import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

const cache = mkdtempSync(join(tmpdir(), 'blip2-vm-'));
afterAll(() => rmSync(cache, { recursive: true }));

test('the packages work in test runners that run code in a context of node:vm', () => {
  const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
  const folder = join(import.meta.dirname, 'fixtures/vm-pool');
  const { status, stdout } = spawnSync(
    process.execPath,
    [vitest, 'run', '--config', join(folder, 'vitest.config.js')],
    {
      encoding: 'utf8',
      env: { ...process.env, BLIP2_CACHE: cache, NO_COLOR: '1' },
    },
  );
  expect(stdout).toContain('5 passed');
  expect(status).toBe(0);
});
