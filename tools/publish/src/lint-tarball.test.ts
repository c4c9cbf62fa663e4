import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { lintTarball } from './lint-tarball.ts';

/** A package of two files, packed by npm. */
function pack(manifest: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'blip2 lint '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'dist'));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({
      name: 'x',
      version: '1.0.0',
      type: 'module',
      license: 'MIT',
      files: ['dist'],
      sideEffects: false,
      engines: { node: '>=20' },
      ...manifest,
    }),
  );
  writeFileSync(join(folder, 'dist/index.js'), 'export const x = 1;\n');
  writeFileSync(join(folder, 'dist/index.d.ts'), 'export declare const x = 1;\n');
  execFileSync('npm', ['pack', '--silent'], { cwd: folder });
  return join(folder, 'x-1.0.0.tgz');
}

test('a valid package passes', async () => {
  expect(
    await lintTarball('x', pack({ exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } } })),
  ).toEqual([]);
});

test('reports an unpacked file and missing types', async () => {
  const problems = await lintTarball('x', pack({ exports: { '.': { default: './dist/gone.js' } } }));
  expect(problems).toContainEqual(expect.stringContaining('publint: '));
  expect(problems).toContainEqual(expect.stringContaining('types'));
});
