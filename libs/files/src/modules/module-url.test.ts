import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterAll, afterEach, expect, test, vi } from 'vitest';

import { moduleUrl, requireFrom } from './module-url.ts';

const root = await realpath(await mkdtemp(join(tmpdir(), 'module-url-')));
const worker = join(root, 'node_modules/@blip2/runtime/bundle/worker/x.js');
await mkdir(join(worker, '..'), { recursive: true });
await writeFile(worker, '');
await writeFile(join(root, 'node_modules/@blip2/runtime/package.json'), '{"name":"@blip2/runtime"}');
const script = process.argv[1] ?? '';
afterAll(() => rm(root, { recursive: true }));
afterEach(() => {
  vi.unstubAllEnvs();
  process.argv[1] = script;
});

const missing = (): URL => pathToFileURL(join(root, 'dist/x.js'));
/** What `new URL('./x.js', import.meta.url)` does in a CommonJS bundle, which has no URL. */
const invalid = (): URL => new URL('./x.js', undefined);

test('a module next to the calling one is taken', () => {
  const own = pathToFileURL(worker);
  expect(moduleUrl('runtime/worker/other.js', () => own)).toBe(own);
});

test.each([
  ['an ES module bundle', missing],
  ['a CommonJS bundle', invalid],
])('in %s it is found from the program, or in BLIP2_MODULES', (_, own) => {
  process.argv[1] = join(root, 'dist/app.js');
  expect(moduleUrl('runtime/worker/x.js', own).href).toBe(pathToFileURL(worker).href);
  process.argv[1] = '/none/app.js';
  vi.stubEnv('BLIP2_MODULES', join(root, 'node_modules'));
  expect(moduleUrl('runtime/worker/x.js', own).href).toBe(pathToFileURL(worker).href);
});

test('a module that is nowhere is reported by Node under its own path', () => {
  process.argv[1] = '/none/app.js';
  expect(moduleUrl('runtime/worker/x.js', missing)).toEqual(missing());
});

test('a CommonJS bundle requires relative to the program', () => {
  process.argv[1] = join(root, 'dist/app.js');
  expect(requireFrom(undefined).resolve('@blip2/runtime/package.json')).toBe(
    join(root, 'node_modules/@blip2/runtime/package.json'),
  );
});
