import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { planOf } from '../fixtures/plans.ts';
import { openCheckpoint } from '../model-folder/open-checkpoint.ts';
import { saveCheckpoint } from '../model-folder/save-checkpoint.ts';
import { randomTensorSource } from '../random/random-checkpoint.ts';
import { convertedWeights } from './converted-weights.ts';

/** Number of writes until the simulated disk is full. */
const disk = vi.hoisted(() => ({ room: Infinity }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const writeSync: typeof fs.writeSync = (fd: number, ...rest: unknown[]): number => {
    if (disk.room-- <= 0)
      throw Object.assign(new TypeError('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    return Reflect.apply(fs.writeSync, undefined, [fd, ...rest]) as number;
  };
  return { ...fs, writeSync };
});

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-write-'));
  await saveCheckpoint(join(folder, 'model'), [
    randomTensorSource({ name: 'fc.weight', shape: [24, 40], init: { kind: 'ones' } }, 1),
    randomTensorSource({ name: 'fc.bias', shape: [24], init: { kind: 'zeros' } }, 1),
  ]);
  disk.room = Infinity;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function convert(convertedDir: string): Promise<unknown> {
  const store = await openCheckpoint(join(folder, 'model'));
  return convertedWeights(store, planOf(store, 'q4'), 'part', { convertedDir });
}

test.each([0, 1, 2])(
  'a disk that is full after %d writes is reported with its folder, and nothing is left',
  async (room) => {
    disk.room = room;
    const where = join(folder, 'cache', 'weights');
    await expect(convert(join(folder, 'cache'))).rejects.toThrow(
      expect.objectContaining({
        code: 'WRITE_FAILED',
        details: expect.objectContaining({
          where,
          got: 'ENOSPC',
          fix: expect.stringContaining('BLIP2_CACHE') as string,
        }) as object,
      }),
    );
    expect(await readdir(where)).toEqual([]);
    disk.room = Infinity;
    await convert(join(folder, 'cache'));
    expect(await readdir(where)).toHaveLength(1);
  },
);

test('a folder that cannot be created is reported with the system error and a remedy', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(convert(join(folder, 'file'))).rejects.toThrow(
    expect.objectContaining({ code: 'WRITE_FAILED', message: expect.stringMatching(/ENOTDIR.*BLIP2_CACHE/) as string }),
  );
  await mkdir(join(folder, 'cache'));
  await writeFile(join(folder, 'cache', 'weights'), '');
  await expect(convert(join(folder, 'cache'))).rejects.toThrow(
    expect.objectContaining({ code: 'WRITE_FAILED', message: expect.stringMatching(/EEXIST.*BLIP2_CACHE/) as string }),
  );
});
