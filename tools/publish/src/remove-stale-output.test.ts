import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { removeStaleOutput } from './remove-stale-output.ts';

test('removes only the output of deleted sources', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blip2 stale '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['src/deep', 'dist/deep']) mkdirSync(join(folder, name), { recursive: true });
  for (const name of [
    'src/deep/kept.ts',
    'dist/deep/kept.js',
    'dist/deep/kept.d.ts.map',
    'dist/deep/gone.js',
    'dist/gone.d.ts',
    'dist/tsconfig.lib.tsbuildinfo',
  ])
    writeFileSync(join(folder, name), '');
  expect(removeStaleOutput(folder).sort()).toEqual([join('deep', 'gone.js'), 'gone.d.ts']);
  expect(
    ['dist/deep/kept.js', 'dist/deep/kept.d.ts.map', 'dist/tsconfig.lib.tsbuildinfo'].every((name) =>
      existsSync(join(folder, name)),
    ),
  ).toBe(true);
});
