import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { expect, onTestFinished, test } from 'vitest';

const PROGRAM = join(import.meta.dirname, '../tools/bundle/bundle.js');

const FILES: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    name: 'x',
    type: 'module',
    exports: {
      '.': { types: './dist/index.d.ts', default: './bundle/index.js' },
      './deep': { types: './dist/deep/index.d.ts', default: './bundle/deep/index.js' },
      './package.json': './package.json',
    },
  }),
  'data/x.txt': 'data',
  'dist/index.js': `
    export { Shared } from './deep/shared.js';
    export { worker, data } from './deep/addresses.js';
    export const message = "Pass new URL('./module.js', import.meta.url)";`,
  'dist/deep/index.js': `export { Shared } from './shared.js'; export { worker } from './addresses.js';`,
  'dist/deep/shared.js': 'export class Shared {}',
  'dist/deep/addresses.js': `
    export const worker = new URL('./worker.js', import.meta.url);
    export const data = new URL('../../data/x.txt', import.meta.url);`,
  'dist/deep/worker.js': `export { Shared } from './shared.js'; export const name = 'worker';`,
  'dist/deep/unused.js': 'export {};',
};

function workspace(): { root: string; folder: string } {
  const root = mkdtempSync(join(tmpdir(), 'blip2 bundle '));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const folder = join(root, 'libs/x');
  mkdirSync(join(root, 'apps'));
  const sources = Object.keys(FILES).filter((name) => name.startsWith('dist/'));
  const empty = sources.map((name): [string, string] => [name.replace(/^dist(.*)\.js$/, 'src$1.ts'), '']);
  for (const [name, text] of [...Object.entries(FILES), ...empty]) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return { root, folder };
}

const bundle = (root: string, cwd = root): Buffer => execFileSync(process.execPath, [PROGRAM, root], { cwd });
const importFrom = (folder: string, name: string): Promise<Record<string, unknown>> =>
  import(/* @vite-ignore */ pathToFileURL(join(folder, 'bundle', name)).href) as Promise<Record<string, unknown>>;

test('entry points and worker programs keep their paths, share their modules, and find their files', async () => {
  const { root, folder } = workspace();
  bundle(root);
  const main = await importFrom(folder, 'index.js');
  const deep = await importFrom(folder, 'deep/index.js');
  const worker = await importFrom(folder, 'deep/worker.js');
  expect(deep['Shared']).toBe(main['Shared']);
  expect(worker['Shared']).toBe(main['Shared']);
  expect(String(main['worker'])).toBe(pathToFileURL(join(folder, 'bundle/deep/worker.js')).href);
  expect(String(deep['worker'])).toBe(String(main['worker']));
  expect(String(main['data'])).toBe(pathToFileURL(join(folder, 'data/x.txt')).href);
  expect(main['message']).toBe("Pass new URL('./module.js', import.meta.url)");
});

test('addresses do not depend on the current folder, even if it is called as an addressed one', async () => {
  const { root, folder } = workspace();
  const elsewhere = join(root, 'data');
  mkdirSync(elsewhere);
  writeFileSync(
    join(folder, 'dist/deep/addresses.js'),
    "export const data = new URL('../../data/', import.meta.url); export const worker = 0;",
  );
  bundle(root, elsewhere);
  const { data } = await importFrom(folder, 'index.js');
  expect(String(data)).toBe(pathToFileURL(join(folder, 'data')).href);
});

test('files that did not change are not written again, and files of removed modules are deleted', () => {
  const { root, folder } = workspace();
  bundle(root);
  const file = join(folder, 'bundle/index.js');
  const before = statSync(file).mtimeMs;
  const names = readdirSync(join(folder, 'bundle'), { recursive: true });
  writeFileSync(join(folder, 'bundle/old.js'), '');
  bundle(root);
  expect(statSync(file).mtimeMs).toBe(before);
  expect(readdirSync(join(folder, 'bundle'), { recursive: true })).toEqual(names);
});

test('the compiled modules of deleted sources are no entry points, and address none', () => {
  const { root, folder } = workspace();
  bundle(root);
  const names = readdirSync(join(folder, 'bundle'), { recursive: true });
  writeFileSync(join(folder, 'dist/old.js'), "export const unused = new URL('./deep/unused.js', import.meta.url);");
  bundle(root);
  expect(readdirSync(join(folder, 'bundle'), { recursive: true })).toEqual(names);
  rmSync(join(folder, 'src/deep/worker.ts'));
  bundle(root);
  expect(readdirSync(join(folder, 'bundle/deep'))).toEqual(['index.js']);
});
