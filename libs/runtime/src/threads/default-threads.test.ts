import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { createPartHost, type PartHost } from '../part-host.ts';
import { threadCandidates } from './choose-threads.ts';
import { createDefaultThreads, type DefaultThreads } from './default-threads.ts';
import { measureThreads } from './measure-threads.ts';
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
  /** Milliseconds of both products by number of threads; nothing where other programs are busy. */
  readonly times?: Readonly<Record<number, number>>;
  readonly folder?: string;
}

/** A process on such a machine, and which measurements it makes. */
function process({ processors = 4, quota, times, folder: cache = folder }: Simulated): {
  readonly ask: DefaultThreads;
  readonly measured: (readonly number[])[];
} {
  const measured: (readonly number[])[] = [];
  const ask = createDefaultThreads({
    usable: () => ({ processors, quota }),
    folder: () => cache,
    measure: async (candidates) => {
      measured.push(candidates);
      return (
        times &&
        candidates.map((threads) => ({ threads, byteMs: times[threads] ?? NaN, floatMs: times[threads] ?? NaN }))
      );
    },
  });
  return { ask, measured };
}

const large = { weightBytes: () => LARGE };
const small = { weightBytes: () => LARGE - 1 };

describe('defaultThreads', () => {
  test('measures once for all who ask at the same time and later', async () => {
    const { ask, measured } = process({ times: { 1: 4, 2: 2, 4: 3 } });
    expect(await Promise.all([ask(large), ask(large), ask({ weightBytes: async () => LARGE })])).toEqual([2, 2, 2]);
    expect(await ask(small)).toBe(2);
    expect(measured).toEqual([[1, 2, 4]]);
  });

  test('the next process reads what was kept, for small work too', async () => {
    await process({ times: { 1: 4, 2: 2, 4: 3 } }).ask(large);
    const { ask, measured } = process({});
    expect(await ask(small)).toBe(2);
    expect(await ask(large)).toBe(2);
    expect(measured).toEqual([]);
  });

  test('measures again under another quota, or on other processors', async () => {
    await process({ times: { 1: 4, 2: 2, 4: 3 } }).ask(large);
    const [limited, fewer] = [
      process({ quota: 1.5, times: { 1: 4, 2: 2 } }),
      process({ processors: 2, times: { 1: 4, 2: 4 } }),
    ];
    expect([await limited.ask(large), await fewer.ask(large)]).toEqual([2, 1]);
    expect([limited.measured, fewer.measured]).toEqual([[[1, 2]], [[1, 2]]]);
  });

  test('does not measure where there is nothing to choose', async () => {
    for (const machine of [{ processors: 1 }, { processors: 8, quota: 0.5 }]) {
      const { ask, measured } = process(machine);
      expect([await ask(large), await ask(small), measured]).toEqual([1, 1, []]);
    }
  });

  test('leaves small work to the runtime, within a quota', async () => {
    const { ask, measured } = process({ times: { 1: 4, 2: 2, 4: 3 } });
    expect([await ask(small), measured]).toEqual([undefined, []]);
    expect([await process({ quota: 2.5 }).ask(small), await process({ quota: 4 }).ask(small)]).toEqual([3, undefined]);
    expect(await ask(large)).toBe(2);
  });

  test('keeps nothing where other programs were busy', async () => {
    const { ask, measured } = process({});
    expect([await ask(large), await ask(large), measured.length]).toEqual([undefined, undefined, 1]);
    expect(await process({ quota: 3 }).ask(large)).toBe(3);
    expect(await process({ times: { 1: 4, 2: 2, 4: 3 } }).ask(large)).toBe(2);
  });

  test('fails with nothing: not even without a runtime', async () => {
    const ask = createDefaultThreads({
      usable: () => ({ processors: 2, quota: undefined }),
      folder: () => folder,
      measure: () => Promise.reject(new TypeError('no runtime')),
    });
    expect(await ask(large)).toBeUndefined();
  });

  test('does not measure for weights that cannot be counted', async () => {
    const { ask, measured } = process({ times: { 1: 4, 2: 2, 4: 3 } });
    const corrupt = (): number => {
      throw new TypeError('no graph');
    };
    expect(await ask({ weightBytes: corrupt })).toBeUndefined();
    expect(await ask({ weightBytes: () => Promise.reject(new TypeError('no folder')) })).toBeUndefined();
    expect(measured).toEqual([]);
  });

  test('works where nothing can be kept', async () => {
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
      return { threads: 4, [Symbol.asyncDispose]: async () => void disposed++ };
    };
    const host = { create } as unknown as PartHost;
    expect(await Promise.all([ask({ ...large, host }), ask({ ...large, host })])).toEqual([4, 4]);
    expect(await ask(large)).toBe(4);
    expect([created.length, disposed, measured]).toEqual([1, 1, []]);
  });

  test('that is lost leaves the number to the runtime', async () => {
    const host = { create: () => Promise.reject(new TypeError('lost')) } as unknown as PartHost;
    expect(await process({}).ask({ ...large, host })).toBeUndefined();
  });

  test('is a worker', async () => {
    vi.stubEnv('BLIP2_CACHE', folder);
    const usable = usableProcessors();
    await using host = createPartHost({ isolate: 'worker' });
    const ask = createDefaultThreads({
      usable: () => usable,
      folder: () => folder,
      measure: () => Promise.reject(new TypeError('not here')),
    });
    expect([undefined, ...threadCandidates(usable)]).toContain(await ask({ ...large, host }));
  });
});

test('measureThreads times both products with each number, unless other programs are busy', async () => {
  const timings = await measureThreads([1, 2]);
  if (timings) expect(timings.map(({ threads }) => threads)).toEqual([1, 2]);
  for (const { byteMs, floatMs } of timings ?? [])
    expect([byteMs > 0, Number.isFinite(byteMs), floatMs > 0, Number.isFinite(floatMs)]).toEqual([
      true,
      true,
      true,
      true,
    ]);
});
