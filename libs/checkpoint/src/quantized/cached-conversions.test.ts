import { mkdir, mkdtemp, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { markVerified, processName } from '@blip2/files';
import type { Precision } from '@blip2/interfaces';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { planOf } from '../fixtures/plans.ts';
import { openCheckpoint } from '../model-folder/open-checkpoint.ts';
import { saveCheckpoint } from '../model-folder/save-checkpoint.ts';
import { randomTensorSource } from '../random/random-checkpoint.ts';
import { recordedFile } from './cache-folder.ts';
import {
  type CachedConversion,
  listCachedConversions,
  planConversionPrune,
  removeCachedConversions,
} from './cached-conversions.ts';
import { convertedWeights } from './converted-weights.ts';
import { verifyCachedConversion } from './verify-conversion.ts';

const HOUR = 3_600_000;
/** Name of a process that has ended: no process has this id. */
const ENDED = `${processName.split('-')[0]}-9999999`;
let folder = '';
let cache = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-conversions-'));
  cache = join(folder, 'cache');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Creates a model in `folder` and converts it. */
async function convert(model: string, precision: Precision, part = 'language_model', seed = 1): Promise<void> {
  const at = join(folder, model);
  const store = (await stat(at).catch(() => undefined)) ? await openCheckpoint(at) : await make(at, seed);
  await convertedWeights(store, planOf(store, precision), part, { convertedDir: cache });
}

async function make(at: string, seed: number): Promise<Awaited<ReturnType<typeof openCheckpoint>>> {
  await saveCheckpoint(at, [
    randomTensorSource({ name: 'fc.weight', shape: [24, 40], init: { kind: 'normal', std: 0.02 } }, seed),
  ]);
  return openCheckpoint(at);
}

async function only(): Promise<CachedConversion> {
  const [first, ...rest] = await listCachedConversions(cache);
  if (!first || rest.length > 0) throw new TypeError(`${rest.length} more than one`);
  return first;
}

async function age(file: string, milliseconds: number): Promise<void> {
  const then = (Date.now() - milliseconds) / 1000;
  await utimes(file, then, then);
}

test('lists model, part, precision, size and last use of each file', async () => {
  await convert('models--some--model/snapshots/x', 'q4');
  await convert('own', 'int8', 'vision_model', 2);
  const [hub, own, ...rest] = (await listCachedConversions(cache)).toSorted((a, b) => a.part.localeCompare(b.part));
  expect(rest).toEqual([]);
  expect(hub).toMatchObject({
    model: 'some/model',
    part: 'language_model',
    precisions: ['q4'],
    bytes: (await stat(hub?.file ?? '')).size,
    state: 'ready',
  });
  expect(own).toMatchObject({ model: join(folder, 'own'), part: 'vision_model', precisions: ['int8'], state: 'ready' });
  expect(Math.abs(Date.now() - Date.parse(own?.lastUsed ?? ''))).toBeLessThan(HOUR);
});

test('lists nothing without a cache, and ignores other files', async () => {
  expect(await listCachedConversions(cache)).toEqual([]);
  await mkdir(join(cache, 'weights'), { recursive: true });
  await writeFile(join(cache, 'weights', 'mine.safetensors'), 'x');
  expect(await listCachedConversions(cache)).toEqual([]);
  expect(await planConversionPrune(cache, { unusedFor: 0 })).toEqual({ conversions: [], leftovers: [], bytes: 0 });
});

test('each use updates the time of last use', async () => {
  await convert('own', 'q4');
  const { file } = await only();
  await age(file, 50 * HOUR);
  expect(Date.now() - Date.parse((await only()).lastUsed)).toBeGreaterThan(49 * HOUR);
  await convert('own', 'q4');
  expect(Date.now() - Date.parse((await only()).lastUsed)).toBeLessThan(HOUR);
});

test.each([
  ['was deleted', (at: string) => rm(at, { recursive: true })],
  ['has changed', async (at: string) => void (await make(at, 9))],
])('is stale if the model %s, and then pruned', async (_, change) => {
  await convert('own', 'q4');
  await convert('other', 'q4', 'language_model', 3);
  await change(join(folder, 'own'));
  const plan = await planConversionPrune(cache);
  expect(plan.conversions).toMatchObject([{ model: join(folder, 'own'), state: 'stale' }]);
  expect(plan.bytes).toBe(plan.conversions[0]?.bytes);
  await removeCachedConversions(plan);
  expect(await only()).toMatchObject({ model: join(folder, 'other'), state: 'ready' });
});

test('prunes files that were not used for some time, if requested', async () => {
  await convert('own', 'q4');
  await convert('own', 'q8');
  const [first] = await listCachedConversions(cache);
  await age(first?.file ?? '', 50 * HOUR);
  expect((await planConversionPrune(cache)).conversions).toEqual([]);
  expect((await planConversionPrune(cache, { unusedFor: 51 * HOUR })).conversions).toEqual([]);
  expect((await planConversionPrune(cache, { unusedFor: 49 * HOUR })).conversions).toMatchObject([
    { file: first?.file },
  ]);
});

test('prunes files and locks of killed conversions at once, but not those in progress', async () => {
  await mkdir(join(cache, 'weights'), { recursive: true });
  const at = (name: string): string => join(cache, 'weights', name);
  const temporary = (name: string, owner: string): string => `.${name}.safetensors.${owner}.01234567.tmp`;
  const left = [temporary('a', ENDED), temporary('b', ENDED)];
  for (const name of [...left, temporary('c', processName), 'kept.txt', 'kept.tmp']) await writeFile(at(name), 'xyz');
  await writeFile(at('left.blip2.lock'), ENDED);
  await writeFile(at('running.blip2.lock'), processName);
  for (const name of [temporary('c', processName), 'running.blip2.lock']) await age(at(name), 2 * HOUR);
  const plan = await planConversionPrune(cache, { unusedFor: 0 }, () => expect.fail('must not wait'));
  const leftovers = [...left, 'left.blip2.lock'].map(at);
  expect(plan).toEqual({ conversions: [], leftovers, bytes: 6 + ENDED.length });
  await removeCachedConversions(plan);
  expect((await planConversionPrune(cache)).leftovers).toEqual([]);
  expect(await readFile(at('kept.txt'), 'utf8')).toBe('xyz');
});

test('prunes files of other machines that do not change for a minute, whatever their clocks show', async () => {
  await mkdir(join(cache, 'weights', 'x.packed'), { recursive: true });
  const at = (name: string): string => join(cache, 'weights', name);
  await writeFile(at('x.safetensors'), '');
  const left = ['.a.safetensors.00000000-1.01234567.tmp', '.b.safetensors.UUID.tmp', 'l.blip2.lock'];
  const growing = ['.c.safetensors.00000000-1.01234567.tmp', 'x.packed/g.00000000-1.01234567.tmp', 'm.blip2.lock'];
  for (const name of [...left, ...growing]) await writeFile(at(name), '00000000-1');
  for (const name of left) await age(at(name), -2 * HOUR);
  for (const name of growing) await age(at(name), 2 * HOUR);
  let now = performance.now();
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  const plan = await planConversionPrune(cache, {}, async (milliseconds) => {
    now += milliseconds;
    for (const name of growing) await age(at(name), 2 * HOUR - now);
  });
  clock.mockRestore();
  expect(plan.leftovers).toEqual(left.map(at));
});

test('detects a changed byte and a truncated file', async () => {
  await convert('own', 'q4');
  const conversion = await only();
  expect(await verifyCachedConversion(conversion)).toBe('ok');
  const handle = await open(conversion.file, 'r+');
  const last = new Uint8Array(1);
  await handle.read(last, 0, 1, conversion.bytes - 1);
  await handle.write(
    last.map((byte) => byte ^ 1),
    0,
    1,
    conversion.bytes - 1,
  );
  expect(await verifyCachedConversion(conversion)).toBe('damaged');
  await handle.truncate(conversion.bytes - 1);
  await handle.close();
  expect(await verifyCachedConversion(conversion)).toBe('damaged');
  expect((await planConversionPrune(cache)).conversions).toMatchObject([{ state: 'damaged' }]);
});

test('detects a changed header that is valid', async () => {
  await convert('own', 'q4');
  const conversion = await only();
  const bytes = await readFile(conversion.file);
  const at = bytes.indexOf('own"');
  await writeFile(conversion.file, bytes.fill('O', at, at + 1));
  expect(await verifyCachedConversion(conversion)).toBe('damaged');
});

test('detects damage without a trace in a file that was verified since the machine was started', async () => {
  await convert('own', 'q4');
  const conversion = await only();
  const bytes = await readFile(conversion.file);
  await writeFile(conversion.file, bytes.fill(0, bytes.length - 100));
  await markVerified(recordedFile(conversion.file));
  expect(await verifyCachedConversion(conversion)).toBe('damaged');
  await convert('own', 'q4');
  expect(await verifyCachedConversion(conversion)).toBe('ok');
});

test('a process that has a file open can read it after it is deleted', async () => {
  await convert('own', 'q4');
  const conversion = await only();
  const handle = await open(conversion.file, 'r');
  await removeCachedConversions({ conversions: [conversion], leftovers: [] });
  expect((await handle.stat()).size).toBe(conversion.bytes);
  await handle.close();
  expect(await listCachedConversions(cache)).toEqual([]);
  await convert('own', 'q4');
  expect(dirname((await only()).file)).toBe(join(cache, 'weights'));
});

test('prepacked weights are counted and deleted with their file, and pruned if it no longer exists', async () => {
  await convert('own', 'q4');
  const { file, bytes } = await only();
  const packed = `${file.slice(0, -'.safetensors'.length)}.packed`;
  await mkdir(join(packed, 'graph-1'), { recursive: true });
  await writeFile(join(packed, 'graph-1', 'weights.data'), new Uint8Array(5000));
  expect((await only()).bytes).toBe(bytes + 5000);
  expect(await verifyCachedConversion(await only())).toBe('ok');
  expect((await planConversionPrune(cache)).leftovers).toEqual([]);

  for (const owner of [processName, ENDED]) {
    await mkdir(join(packed, `graph-2.${owner}.01234567.tmp`));
    await writeFile(join(packed, `graph-2.${owner}.01234567.tmp`, 'weights.data'), new Uint8Array(300));
  }
  const leftovers = [join(packed, `graph-2.${ENDED}.01234567.tmp`)];
  expect(await planConversionPrune(cache)).toMatchObject({ leftovers, bytes: 300 });

  await removeCachedConversions({ conversions: [await only()], leftovers: [] });
  expect(await stat(packed).catch(() => 'gone')).toBe('gone');
  await mkdir(packed);
  await writeFile(join(packed, 'rest'), new Uint8Array(70));
  const plan = await planConversionPrune(cache);
  expect(plan).toEqual({ conversions: [], leftovers: [packed], bytes: 70 });
  await removeCachedConversions(plan);
  expect(await stat(packed).catch(() => 'gone')).toBe('gone');
});
