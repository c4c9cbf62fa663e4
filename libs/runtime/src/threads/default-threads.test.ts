import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createPartHost } from '../worker/create-part-host.ts';
import type { PartHost } from '../worker/part-host.ts';
import { type PhaseThreads, type RowTiming, threadCandidates, type ThreadTiming } from './choose-threads.ts';
import { createThreadChooser, type ExplainedThreads, type ThreadUse } from './default-threads.ts';
import { measureRows, measureThreads } from './measure-threads.ts';
import { type UsableProcessors, usableProcessors } from './usable-processors.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-default-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

const LARGE = 64 * 1024 ** 2;

interface Simulated extends Partial<UsableProcessors> {
  /** Milliseconds of both products by number of threads; undefined if other programs are busy. */
  readonly times?: Readonly<Record<number, number>>;
  readonly folder?: string;
  /** The value of `BLIP2_THREADS`. */
  readonly pinned?: string;
  /** Milliseconds of 4-bit and of 8-bit products by number of rows; absent if other programs are busy. */
  readonly rows?: Readonly<Record<number, readonly [blockMs: number, byteMs: number]>>;
}

/** A timing in which everything takes as long. */
const evenly = (threads: number, time = NaN): ThreadTiming => ({
  threads,
  byteMs: time,
  floatMs: time,
  promptMs: time,
  blockMs: time,
  readMs: time,
});

/** A process on such a machine, with the measurements that it makes. */
function process({ processors = 4, quota, topology, times, folder: cache = folder, pinned, rows }: Simulated): {
  readonly explain: (use: ThreadUse) => Promise<ExplainedThreads>;
  /** The number of the encoder; others are the same unless stated. */
  readonly ask: (use: ThreadUse) => Promise<number | undefined>;
  readonly measured: (readonly number[])[];
  readonly measuredRows: PhaseThreads[];
} {
  const measuredRows: PhaseThreads[] = [];
  const measured: (readonly number[])[] = [];
  const explain = createThreadChooser({
    usable: () => ({ processors, quota, topology }),
    folder: () => cache,
    pinned: () => pinned,
    measure: async (candidates) => {
      measured.push(candidates);
      return times && candidates.map((threads) => evenly(threads, times[threads]));
    },
    measureRows: async (threads) => {
      measuredRows.push(threads);
      return (
        rows &&
        Object.entries(rows).map(([count, [blockMs, byteMs]]): RowTiming => ({ rows: Number(count), blockMs, byteMs }))
      );
    },
  });
  return { explain, ask: async (use) => (await explain(use)).choice?.encoder, measured, measuredRows };
}

const large = { weightBytes: () => LARGE };
const small = { weightBytes: () => LARGE - 1 };

describe('defaultThreads', () => {
  test('measures once for concurrent and later calls', async () => {
    const { ask, measured } = process({ times: { 1: 4, 2: 2, 4: 3 } });
    expect(await Promise.all([ask(large), ask(large), ask({ weightBytes: async () => LARGE })])).toEqual([2, 2, 2]);
    expect(await ask(small)).toBe(2);
    expect(measured).toEqual([[1, 2, 4]]);
  });

  test('the next process uses the saved number, also for small work', async () => {
    await process({ times: { 1: 4, 2: 2, 4: 3 } }).ask(large);
    const { ask, measured } = process({});
    expect(await ask(small)).toBe(2);
    expect(await ask(large)).toBe(2);
    expect(measured).toEqual([]);
  });

  test('measures again with another quota or other processors', async () => {
    await process({ times: { 1: 4, 2: 2, 4: 3 } }).ask(large);
    const [limited, fewer] = [
      process({ quota: 1.5, times: { 1: 4, 2: 2 } }),
      process({ processors: 2, times: { 1: 4, 2: 4 } }),
    ];
    expect([await limited.ask(large), await fewer.ask(large)]).toEqual([2, 1]);
    expect([limited.measured, fewer.measured]).toEqual([[[1, 2]], [[1, 2]]]);
  });

  test('with a single candidate, measures for the rows alone', async () => {
    for (const machine of [{ processors: 1 }, { processors: 8, quota: 0.5 }]) {
      const { ask, measured } = process(machine);
      expect([await ask(small), measured]).toEqual([1, []]);
      expect([await ask(large), await ask(small), measured]).toEqual([1, 1, [[1]]]);
    }
    const { explain } = process({ processors: 1, times: { 1: 4 }, rows: { 4: [1, 9], 8: [9, 1] } });
    expect((await explain(large)).choice).toEqual({ encoder: 1, prompt: 1, decode: 1, fewRows: 4 });
  });

  test('measures rows with the chosen threads, and keeps them', async () => {
    const { explain, measuredRows } = process({
      times: { 1: 4, 2: 2, 4: 3 },
      rows: { 4: [1, 9], 8: [1, 9], 16: [9, 1] },
    });
    const found = await explain(large);
    expect(found).toMatchObject({ choice: { encoder: 2, prompt: 2, decode: 2, fewRows: 8 }, reason: 'measured' });
    expect(measuredRows).toEqual([{ encoder: 2, prompt: 2, decode: 2 }]);
    const next = await process({}).explain(small);
    expect(next).toMatchObject({ choice: found.choice, reason: 'saved', timings: [{ threads: 1 }, {}, {}] });
    expect(next.rowTimings).toEqual(found.rowTimings);
  });

  test('keeps numbers of threads if only the rows were disturbed', async () => {
    await process({ times: { 1: 4, 2: 2, 4: 3 } }).ask(large);
    expect((await process({}).explain(small)).choice).toEqual({ encoder: 2, prompt: 2, decode: 2, fewRows: 4 });
  });

  test('numbers that are pinned replace those of the machine', async () => {
    const all = process({ pinned: 'encoder=3,prompt=2,decode=1,fewRows=6', times: { 1: 1 } });
    expect(await all.explain(large)).toMatchObject({
      choice: { encoder: 3, prompt: 2, decode: 1, fewRows: 6 },
      reason: 'pinned',
    });
    expect(all.measured).toEqual([]);
    const some = process({ pinned: ' decode=1 ', times: { 1: 4, 2: 2, 4: 3 } });
    expect(await some.explain(small)).toMatchObject({ choice: { decode: 1 }, reason: 'runtime' });
    expect(await some.explain(large)).toMatchObject({
      choice: { encoder: 2, prompt: 2, decode: 1, fewRows: 4 },
      reason: 'measured',
      pinned: { decode: 1 },
    });
    // What was saved is what was measured.
    expect((await process({ pinned: '' }).explain(small)).choice?.decode).toBe(2);
    expect((await process({ pinned: '3' }).explain(small)).choice).toEqual({
      encoder: 3,
      prompt: 3,
      decode: 3,
      fewRows: 4,
    });
  });

  test.each(['0', 'two', 'decode=0', 'decoder=2', 'decode=1,decode=2', 'decode'])(
    'a pin in another format is refused: %s',
    async (pinned) => {
      await expect(process({ pinned }).explain(small)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringMatching(/BLIP2_THREADS/) as string,
      });
    },
  );

  test('other cores of the same machine are measured for themselves', async () => {
    const kinds = [{ name: 'core', cores: 2, processors: 4 }];
    await process({ topology: { allowed: '0-3', kinds }, times: { 1: 4, 2: 2, 4: 3 } }).ask(large);
    expect(await process({ topology: { allowed: '0-3', kinds } }).ask(small)).toBe(2);
    expect(await process({ topology: { allowed: '4-7', kinds } }).ask(small)).toBeUndefined();
    const alike = [{ name: 'core', cores: 4, processors: 4 }];
    expect(await process({ topology: { allowed: '0-3', kinds: alike } }).ask(small)).toBeUndefined();
  });

  test('leaves small work to onnxruntime, within a quota', async () => {
    const { ask, measured } = process({ times: { 1: 4, 2: 2, 4: 3 } });
    expect([await ask(small), measured]).toEqual([undefined, []]);
    expect([await process({ quota: 2.5 }).ask(small), await process({ quota: 4 }).ask(small)]).toEqual([3, undefined]);
    expect(await ask(large)).toBe(2);
  });

  test('saves nothing if other programs were busy', async () => {
    const { ask, measured } = process({});
    expect([await ask(large), await ask(large), measured.length]).toEqual([undefined, undefined, 1]);
    expect(await process({ quota: 3 }).ask(large)).toBe(3);
    expect(await process({ times: { 1: 4, 2: 2, 4: 3 } }).ask(large)).toBe(2);
  });

  test('never fails, even without onnxruntime', async () => {
    const noRuntime = (): Promise<never> => Promise.reject(new TypeError('no runtime'));
    const explain = createThreadChooser({
      usable: () => ({ processors: 2, quota: undefined }),
      folder: () => folder,
      pinned: () => undefined,
      measure: noRuntime,
      measureRows: noRuntime,
    });
    expect(await explain(large)).toMatchObject({ choice: undefined, reason: 'runtime' });
  });

  test('does not measure if the bytes of weights are unknown', async () => {
    const { ask, measured } = process({ times: { 1: 4, 2: 2, 4: 3 } });
    const corrupt = (): number => {
      throw new TypeError('no graph');
    };
    expect(await ask({ weightBytes: corrupt })).toBeUndefined();
    expect(await ask({ weightBytes: () => Promise.reject(new TypeError('no folder')) })).toBeUndefined();
    expect(measured).toEqual([]);
  });

  test('works if nothing can be saved', async () => {
    for (const cache of ['/proc/nowhere/cache', join(folder, 'x\0')]) {
      const { ask, measured } = process({ folder: cache, times: { 1: 4, 2: 2, 4: 3 } });
      expect([await ask(large), await ask(large), measured.length]).toEqual([2, 2, 1]);
    }
  });
});

describe('a host', () => {
  test('measures instead of the calling thread, once', async () => {
    const { ask, measured } = process({ times: { 1: 4, 2: 2, 4: 3 } });
    const created: unknown[] = [];
    let disposed = 0;
    const create = async (spec: unknown): Promise<unknown> => {
      created.push(spec);
      const choice = { encoder: 4, prompt: 4, decode: 3, fewRows: 8 };
      return { explained: { choice, reason: 'measured' }, [Symbol.asyncDispose]: async () => void disposed++ };
    };
    const host = { create } as unknown as PartHost;
    expect(await Promise.all([ask({ ...large, host }), ask({ ...large, host })])).toEqual([4, 4]);
    expect(await ask(large)).toBe(4);
    expect([created.length, disposed, measured]).toEqual([1, 1, []]);
  });

  test('that is lost leaves the number to onnxruntime', async () => {
    const host = { create: () => Promise.reject(new TypeError('lost')) } as unknown as PartHost;
    expect(await process({}).ask({ ...large, host })).toBeUndefined();
  });

  test('is a worker', async () => {
    vi.stubEnv('BLIP2_CACHE', folder);
    const usable = usableProcessors();
    await using host = createPartHost({ isolate: 'worker' });
    const notHere = (): Promise<never> => Promise.reject(new TypeError('not here'));
    const explain = createThreadChooser({
      usable: () => usable,
      folder: () => folder,
      pinned: () => undefined,
      measure: notHere,
      measureRows: notHere,
    });
    const { choice } = await explain({ ...large, host });
    for (const phase of ['encoder', 'prompt', 'decode'] as const)
      expect([undefined, ...threadCandidates(usable)]).toContain(choice?.[phase]);
  });
});

test('measureThreads times every product with each number unless other programs are busy', async () => {
  const timings = await measureThreads([1, 2]);
  if (timings) expect(timings.map(({ threads }) => threads)).toEqual([1, 2]);
  for (const timing of timings ?? []) {
    expect(Object.keys(timing).sort()).toEqual(Object.keys(evenly(1)).sort());
    for (const value of Object.values(timing)) expect(value > 0 && Number.isFinite(value)).toBe(true);
  }
});

test('measureRows times both products with each number of rows unless other programs are busy', async () => {
  const timings = await measureRows({ encoder: 1, prompt: 2, decode: 1 });
  if (timings) expect(timings.map(({ rows }) => rows)).toEqual([4, 8, 16]);
  for (const { blockMs, byteMs } of timings ?? []) expect(blockMs > 0 && byteMs > 0).toBe(true);
});
