import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { processName } from '@blip2/files';
import { describe, expect, test } from 'vitest';

import type { HubIo } from '../client/hub-io.ts';
import { badBlobs, type HubTest, hubTest, impatientIo } from '../fixtures/hub-test.ts';
import { MODEL_ID, noise } from '../fixtures/tiny-repository.ts';
import { downloadModel } from '../index.ts';

const WEIGHTS = noise(3_000_000, 'weights');
const etag = createHash('sha256').update(WEIGHTS).digest('hex');
const HALF = 2_000_000;
/** A process on another machine, or in another container of this one. */
const ELSEWHERE = 'aaaaaaaa-1';

interface ContainerTest extends HubTest {
  readonly blobs: string;
  /** Creates a partial file of an owner. */
  readonly leave: (owner: string, bytes?: number, random?: string) => Promise<string>;
  readonly partials: () => Promise<string[]>;
  readonly sent: () => number;
}

async function containerTest(): Promise<ContainerTest> {
  const { server, cacheDir } = await hubTest({
    repositories: { [MODEL_ID]: { files: { 'config.json': '{}', 'model.safetensors': WEIGHTS } } },
  });
  const blobs = join(cacheDir, 'models--someone--tiny-blip2/blobs');
  await mkdir(blobs, { recursive: true });
  return {
    server,
    cacheDir,
    blobs,
    async leave(owner, bytes = HALF, random = '00000000') {
      const path = join(blobs, `${etag}.${owner}-${random}.incomplete`);
      await writeFile(path, WEIGHTS.subarray(0, bytes));
      return path;
    },
    partials: async () => (await readdir(blobs)).filter((name) => name.endsWith('.incomplete')),
    sent: () =>
      server.requests.filter(({ host }) => host === 'storage').reduce((sum, request) => sum + request.sent, 0),
  };
}

async function expectComplete({ blobs, cacheDir }: ContainerTest): Promise<void> {
  expect((await readFile(join(blobs, etag))).equals(WEIGHTS)).toBe(true);
  expect(await badBlobs(cacheDir)).toEqual([]);
}

describe('the partial file of a container that is gone', () => {
  test.each([
    ['of this moment', () => new Date()],
    ['of a clock that is ahead', () => new Date(Date.now() + 7_200_000)],
    ['of a clock that is behind', () => new Date(0)],
  ])('is resumed after a minute without a change, with a time %s', async (_, time) => {
    const container = await containerTest();
    const [path] = [await container.leave(ELSEWHERE), await container.leave(ELSEWHERE, 1_500_000, '00000001')];
    await utimes(path, time(), time());
    let waited = 0;
    const io: HubIo = {
      ...impatientIo,
      sleep: async (milliseconds, signal) => {
        waited += milliseconds;
        await impatientIo.sleep(milliseconds, signal);
      },
    };
    await downloadModel(MODEL_ID, {}, io);
    await expectComplete(container);
    expect(container.sent()).toBe(WEIGHTS.length - HALF);
    expect(waited).toBe(60_000);
    expect(await container.partials()).toEqual([]);
  });

  test('is watched, not trusted, if it had the same process id', async () => {
    const container = await containerTest();
    await container.leave(processName);
    await downloadModel(MODEL_ID, {}, impatientIo);
    await expectComplete(container);
    expect(container.sent()).toBe(WEIGHTS.length - HALF);
    expect(await container.partials()).toEqual([]);
  });

  test('is not written to: an owner that was only suspended harms nothing', async () => {
    const container = await containerTest();
    const path = await container.leave(ELSEWHERE);
    await using owner = await open(path, 'r+');
    const before = (await owner.stat()).ino;
    await downloadModel(MODEL_ID, {}, impatientIo);
    await owner.write(Buffer.alloc(1000), 0, 1000, 0);
    expect((await stat(join(container.blobs, etag))).ino).not.toBe(before);
    await expectComplete(container);
  });
});

test.each([
  ['of this moment', () => new Date()],
  ['of two hours ago', () => new Date(Date.now() - 7_200_000)],
])('the file of a living owner elsewhere, with a time %s, is never taken', async (_, time) => {
  const container = await containerTest();
  const path = await container.leave(ELSEWHERE);
  await utimes(path, time(), time());
  let beats = 0;
  const io: HubIo = {
    ...impatientIo,
    sleep: async (milliseconds, signal) => {
      // As slow as the beat of a process whose clock is two hours behind.
      const now = new Date(time().getTime() + ++beats);
      await utimes(path, now, now);
      await impatientIo.sleep(milliseconds, signal);
    },
  };
  await downloadModel(MODEL_ID, {}, io);
  await expectComplete(container);
  expect(container.sent()).toBe(WEIGHTS.length);
  expect((await stat(path)).size).toBe(HALF);
});

test('a restart loop neither downloads everything again nor keeps every beginning', async () => {
  const container = await containerTest();
  for (let restart = 0; restart < 3; restart++) {
    // A container that was killed at once, then one that is killed while it downloads, or is told to stop.
    await container.leave(`${'abc'[restart]?.repeat(8)}-1`, 1_200_000 + 300_000 * restart);
    const controller = new AbortController();
    const attempt = downloadModel(
      MODEL_ID,
      { signal: controller.signal, onProgress: ({ loaded }) => loaded > 2_000_000 && controller.abort() },
      impatientIo,
    );
    await attempt.catch(() => {});
    expect((await container.partials()).length).toBeLessThanOrEqual(1);
  }
  await downloadModel(MODEL_ID, {}, impatientIo);
  await expectComplete(container);
  expect(container.sent()).toBeLessThan(2 * WEIGHTS.length);
});

test('a file that was taken over while this process was suspended is downloaded by one of them', async () => {
  const container = await containerTest();
  let taken = false;
  const folder = await downloadModel(
    MODEL_ID,
    {
      onProgress: ({ loaded, total }) => {
        if (taken || loaded < 100_000 || loaded === total) return;
        taken = true;
        for (const name of readdirSync(container.blobs))
          if (name.endsWith('.incomplete')) rmSync(join(container.blobs, name));
      },
    },
    impatientIo,
  );
  expect(taken).toBe(true);
  expect((await readFile(join(folder, 'model.safetensors'))).equals(WEIGHTS)).toBe(true);
});
