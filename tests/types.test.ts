import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'blip2-types-'));
afterAll(() => rmSync(folder, { recursive: true }));

const PACKAGES = [
  'blip2',
  'blip2/container',
  'checkpoint',
  'config',
  'config/family',
  'files',
  'generate',
  'hub',
  'interfaces',
  'language',
  'language/family',
];
const OTHERS = ['onnx', 'part', 'processor', 'qformer', 'runtime', 'testing', 'vision', 'vision/family'];

test('the types need neither the DOM library nor skipLibCheck', () => {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
  const lines = [...PACKAGES, ...OTHERS].map((name) => `export * as ${name.replace('/', '_')} from '@blip2/${name}';`);
  writeFileSync(join(folder, 'index.ts'), lines.join('\n'));
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    lib: ['ES2023', 'ESNext.Disposable'],
    types: ['node'],
    module: 'nodenext',
    noEmit: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['index.ts'] }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  expect([stdout, status]).toEqual(['', 0]);
});
