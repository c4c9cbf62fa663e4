import { setImmediate as turn } from 'node:timers/promises';

import { Blip2Error, type RawImage } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { createImagePool, defaultThreads } from './image-pool.ts';
import type { ImageTask } from './image-task.ts';
import type { ImageThread, ThreadRun } from './image-thread.ts';
import { runImageTask } from './run-image-task.ts';

/** Too large for the calling thread: 513 x 512 pixels. */
const large: RawImage = { data: new Uint8Array(513 * 512), width: 513, height: 512, channels: 1 };
const small: RawImage = { data: new Uint8Array(512 * 512), width: 512, height: 512, channels: 1 };

const noop = (): void => {};

/** Threads whose tasks end when the test says so; a result is as wide as the number of its thread. */
function fakeThreads(ready: () => Promise<void> = async () => {}) {
  const started: FakeThread[] = [];
  interface FakeThread extends ImageThread {
    isLost: boolean;
    isEnded: boolean;
    readonly pending: { readonly task: ImageTask; end(error?: Blip2Error): void }[];
  }
  function start(): ImageThread {
    const width = started.length + 1;
    const thread: FakeThread = {
      ready: ready(),
      isLost: false,
      isEnded: false,
      pending: [],
      run(task): ThreadRun {
        let end: (error?: Blip2Error) => void = noop;
        const result = new Promise<Awaited<ThreadRun['result']>>((resolve, reject) => {
          end = (error) => {
            const image = {
              type: 'uint8' as const,
              dims: [1, width, 3] as [number, number, 3],
              data: new Uint8Array(3),
            };
            if (error) reject(error);
            else resolve({ image, height: 1, width });
          };
        });
        thread.pending.push({ task, end });
        return { result, finished: result.then(noop, noop) };
      },
      end: async () => void (thread.isEnded = true),
    };
    started.push(thread);
    return thread;
  }
  return { start, started };
}
async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn();
}

describe('a pool', () => {
  test('starts a thread with the first large image, and gives every thread the same share', async () => {
    const { start, started } = fakeThreads();
    const pool = createImagePool(2, { start });
    expect((await runImageTask(small, undefined, {}, pool)).width).toBe(512);
    expect(started).toHaveLength(0);
    const runs = Array.from({ length: 6 }, () => runImageTask(large, undefined, {}, pool));
    await settle();
    expect(started.map(({ pending }) => pending.length)).toEqual([2, 2]);
    for (let round = 0; round < 3; round++) {
      for (const { pending } of started) pending.at(-1)?.end();
      for (const { pending } of started) pending.at(-2)?.end();
      await settle();
    }
    expect((await Promise.all(runs)).map(({ width }) => width).sort()).toEqual([1, 1, 1, 2, 2, 2]);
  });

  test('has at most two images per thread in memory; the others wait in the order of their calls', async () => {
    const { start, started } = fakeThreads();
    const pool = createImagePool(1, { start });
    const done: number[] = [];
    for (let call = 0; call < 5; call++) void runImageTask(large, undefined, {}, pool).then(() => done.push(call));
    await settle();
    expect(started[0]?.pending).toHaveLength(2);
    for (let image = 0; image < 5; image++) {
      started[0]?.pending[image]?.end();
      await settle();
      expect(done).toEqual([0, 1, 2, 3, 4].slice(0, image + 1));
    }
  });

  test('drops an aborted image from the queue at once', async () => {
    const { start, started } = fakeThreads();
    const pool = createImagePool(1, { start });
    const controller = new AbortController();
    const first = [1, 2].map(() => runImageTask(large, undefined, {}, pool));
    const waiting = Array.from({ length: 20 }, () =>
      runImageTask(large, undefined, { signal: controller.signal }, pool).catch((error: Error) => error.name),
    );
    const last = runImageTask(large, undefined, {}, pool);
    await settle();
    controller.abort();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['AbortError']));
    for (const { end } of started[0]?.pending ?? []) end();
    await Promise.all(first);
    await settle();
    expect(started[0]?.pending).toHaveLength(3);
    started[0]?.pending[2]?.end();
    await last;
  });

  test('keeps the slot of a failed image until its thread is done', async () => {
    const { start, started } = fakeThreads();
    const pool = createImagePool(1, { start });
    const runs = [1, 2, 3].map(() => runImageTask(large, undefined, {}, pool));
    await settle();
    started[0]?.pending[0]?.end(new Blip2Error('INVALID_IMAGE', 'damaged'));
    await expect(runs[0]).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
    await settle();
    expect(started[0]?.pending).toHaveLength(3);
    for (const { end } of started[0]?.pending ?? []) end();
    await Promise.all(runs.slice(1));
  });

  test('replaces a thread that ended', async () => {
    const { start, started } = fakeThreads();
    const pool = createImagePool(1, { start });
    const lost = runImageTask(large, undefined, {}, pool);
    await settle();
    Object.assign(started[0] ?? {}, { isLost: true });
    started[0]?.pending[0]?.end(new Blip2Error('WORKER_FAILED', 'out of memory'));
    await expect(lost).rejects.toMatchObject({ code: 'WORKER_FAILED' });
    const next = runImageTask(large, undefined, {}, pool);
    await settle();
    started[1]?.pending[0]?.end();
    expect((await next).width).toBe(2);
    await pool[Symbol.asyncDispose]();
    expect(started.map(({ isEnded }) => isEnded)).toEqual([false, true]);
    await expect(runImageTask(large, undefined, {}, pool)).rejects.toMatchObject({ code: 'DISPOSED' });
    expect(started).toHaveLength(2);
  });

  test.each([
    ['fail to start', () => Promise.reject(new Error('no such file'))],
    [
      'cannot be created',
      () => {
        throw new Blip2Error('WORKER_FAILED', 'not allowed');
      },
    ],
  ])('works on the calling thread if threads %s', async (_what, ready) => {
    const { start } = fakeThreads(ready);
    const pool = createImagePool(1, { start });
    for (let call = 0; call < 3; call++) expect((await runImageTask(large, undefined, {}, pool)).width).toBe(513);
  });
});

test.each([
  [1, 1],
  [2, 1],
  [8, 2],
  [16, 4],
  [128, 4],
])('%i cores: %i threads', (cores, threads) => {
  expect(defaultThreads(cores)).toBe(threads);
});
