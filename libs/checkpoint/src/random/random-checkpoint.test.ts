import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { processName } from '@blip2/files';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { createRandomCheckpoint, type RandomTensor, readTensor } from '../index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-random-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const normal = (name: string, length: number, std = 1, mean = 0): RandomTensor => ({
  name,
  shape: [length],
  init: { kind: 'normal', std, mean },
});
async function values(specs: RandomTensor[], name: string, seed: number): Promise<Float32Array> {
  await using checkpoint = await createRandomCheckpoint(specs, { seed, folder });
  const stored = checkpoint.tensors.get(name);
  return stored === undefined ? expect.fail(`no ${name}`) : (await readTensor(stored)).data;
}

describe('createRandomCheckpoint', () => {
  test('depends on seed and name only', async () => {
    const alone = await values([normal('a', 5000)], 'a', 7);
    expect(await values([normal('b', 3), normal('a', 5000)], 'a', 7)).toEqual(alone);
    expect(await values([normal('a', 5000)], 'a', 8)).not.toEqual(alone);
    expect(await values([normal('b', 5000)], 'b', 7)).not.toEqual(alone);
    // A seed determines the weights for good: these numbers must not change.
    expect([...alone.subarray(0, 4)]).toEqual([
      0.38926804065704346, 1.6207239627838135, 1.5516412258148193, 0.02452682889997959,
    ]);
  });

  test('draws from the normal distribution', async () => {
    const drawn = await values([normal('a', 2 ** 20, 1)], 'a', 1);
    const moment = (power: number): number => drawn.reduce((sum, value) => sum + value ** power, 0) / drawn.length;
    // Four standard deviations of each estimate over 2^20 draws.
    expect(Math.abs(moment(1))).toBeLessThan(0.004);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.0056);
    expect(Math.abs(moment(3))).toBeLessThan(0.0155);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.0385);
    const beyond = (limit: number): number => drawn.filter((value) => Math.abs(value) > limit).length;
    // Expected: 332,700, 47,710, 2,831 and 66.
    expect(Math.abs(beyond(1) - 332_700)).toBeLessThan(1910);
    expect(Math.abs(beyond(2) - 47_710)).toBeLessThan(855);
    expect(Math.abs(beyond(3) - 2831)).toBeLessThan(213);
    expect(Math.abs(beyond(4) - 66)).toBeLessThan(33);
  });

  test('scales, shifts, and fills with zeros and ones', async () => {
    const specs: RandomTensor[] = [
      normal('n', 4096, 0.02, 3),
      { name: 'zero', shape: [2, 2], init: { kind: 'zeros' } },
      { name: 'one', shape: [], init: { kind: 'ones' } },
      { name: 'still', shape: [2], init: { kind: 'normal', std: 0, mean: 0.5 } },
    ];
    const drawn = await values(specs, 'n', 1);
    expect(drawn.every((value) => Math.abs(value - 3) < 0.12)).toBe(true);
    expect([...(await values(specs, 'zero', 1))]).toEqual([0, 0, 0, 0]);
    expect([...(await values(specs, 'one', 1))]).toEqual([1]);
    expect([...(await values(specs, 'still', 1))]).toEqual([0.5, 0.5]);
  });

  test('is deleted when disposed, and when the process exits', async () => {
    const checkpoint = await createRandomCheckpoint([normal('a', 3)], { folder });
    expect(dirname(checkpoint.folder)).toBe(folder);
    await checkpoint.dispose();
    await checkpoint.dispose();
    expect(await readdir(folder)).toEqual([]);
    const left = await createRandomCheckpoint([normal('a', 3)], { folder });
    const listeners = process.listeners('exit').filter(({ name }) => name === 'removeLeftFolders');
    expect(listeners).toHaveLength(1);
    for (const listener of listeners) listener.call(process, 0);
    expect(existsSync(left.folder)).toBe(false);
  });

  test('deletes what a killed process left, before it looks for space', async () => {
    const left = await createRandomCheckpoint([normal('a', 3)], { folder });
    const killed = left.folder.replace(processName, `${processName.split('-')[0]}-9999999`);
    await rename(left.folder, killed);
    await expect(createRandomCheckpoint([normal('a', 2 ** 50)], { folder })).rejects.toMatchObject({
      code: 'WRITE_FAILED',
    });
    expect(await readdir(folder)).toEqual([]);
    await left.dispose();
  });

  test('leaves nothing on abort or failure', async () => {
    const controller = new AbortController();
    const stopped = createRandomCheckpoint([normal('a', 2 ** 22)], {
      folder,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
    await expect(createRandomCheckpoint([normal('a', 1), normal('a', 1)], { folder })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(createRandomCheckpoint([normal('a', -1)], { folder })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(createRandomCheckpoint([normal('a', 1)], { folder, seed: 0.5 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(createRandomCheckpoint([normal('a', 2 ** 50)], { folder })).rejects.toMatchObject({
      code: 'WRITE_FAILED',
    });
    expect(await readdir(folder)).toEqual([]);
  });
});
