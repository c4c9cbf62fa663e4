import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createPartHost, defaultThreads, type PartHost, type ThreadUse } from '@blip2/runtime';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import { sameFolder } from '../checkpoint/model-sources.ts';
import { openCheckpointParts } from './checkpoint-parts.ts';
import type { LoadOptions } from './load-options.ts';
import { modelThreads } from './model-threads.ts';

const demo = join(import.meta.dirname, '../../../../apps/cli/models/blip2-opt-shapes');

vi.mock(import('@blip2/runtime'), async (original) => ({
  ...(await original()),
  defaultThreads: vi.fn(),
  createPartHost: vi.fn(),
}));

const CHOICE = { encoder: 6, prompt: 5, decode: 4, fewRows: 8 };

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-model-threads-'));
  for (const [name, bytes] of [
    ['a.safetensors', 3],
    ['b.safetensors', 5],
    ['pytorch_model.bin', 7],
    ['config.json', 11],
  ] as const) {
    await writeFile(join(folder, name), new Uint8Array(bytes));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => {
  vi.mocked(defaultThreads).mockReset().mockResolvedValue(CHOICE);
});

describe('modelThreads', () => {
  test('asks for the default with the bytes of all weights, each folder once', async () => {
    const asked: number[] = [];
    vi.mocked(defaultThreads).mockImplementation(async ({ weightBytes }: ThreadUse) => {
      asked.push(await weightBytes());
      return CHOICE;
    });
    expect(await modelThreads(sameFolder(folder), {}, undefined)).toEqual(CHOICE);
    expect(
      await modelThreads({ ...sameFolder(folder), language: join(folder, 'nowhere') }, { device: 'cpu' }, undefined),
    ).toEqual(CHOICE);
    expect(asked).toEqual([15, 15]);
  });

  test('completes numbers that are given', async () => {
    const options = { threads: { decode: 1, fewRows: 2 } };
    expect(await modelThreads(sameFolder(folder), options, undefined)).toEqual({ ...CHOICE, decode: 1, fewRows: 2 });
    vi.mocked(defaultThreads).mockResolvedValue(undefined);
    expect(await modelThreads(sameFolder(folder), options, undefined)).toEqual(options.threads);
  });

  const own: NonNullable<LoadOptions['createSession']> = () => Promise.reject(new TypeError('not opened'));
  test.each<[string, LoadOptions, LoadOptions['threads']]>([
    ['a number that is given', { threads: 3 }, 3],
    ['all numbers given', { threads: { ...CHOICE, decode: 1 } }, { ...CHOICE, decode: 1 }],
    ['another device', { device: 'cuda' }, undefined],
    ['a custom session factory', { createSession: own }, undefined],
  ])('measures nothing for %s', async (_, options, expected) => {
    expect(await modelThreads(sameFolder(folder), options, undefined)).toEqual(expected);
    expect(defaultThreads).not.toHaveBeenCalled();
  });
});

describe('parts', () => {
  /** Hosts that note what is asked of them, and create nothing. */
  function notingHosts(): unknown[] {
    const events: unknown[] = [];
    vi.mocked(createPartHost).mockImplementation(
      () =>
        ({
          isolate: 'worker',
          start: () => void events.push('start'),
          create: async ({ args = [] }: { readonly args?: readonly unknown[] }) => {
            events.push(args[1]);
            return { [Symbol.asyncDispose]: async () => {} };
          },
          [Symbol.asyncDispose]: async () => {},
        }) as unknown as PartHost,
    );
    return events;
  }

  test('in workers start when the number is known, and all get it', async () => {
    const events = notingHosts();
    vi.mocked(defaultThreads).mockImplementation(async ({ host }) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      events.push(host ? 'measured in a host' : 'measured here');
      return CHOICE;
    });
    await using parts = await openCheckpointParts(demo, {
      isolate: 'worker',
      rows: 3,
      onThreads: (chosen) => events.push(chosen),
    });
    parts.startLanguage();
    await Promise.all([parts.vision(), parts.language(), parts.qformer()]);
    expect(events).toEqual([
      'measured in a host',
      CHOICE,
      'start',
      'start',
      { threads: CHOICE },
      { threads: CHOICE, rows: 3 },
      { threads: CHOICE },
    ]);
    expect(defaultThreads).toHaveBeenCalledOnce();
  });

  test.each([
    [{ threads: 0 }, /threads must be a positive integer/],
    [{ threads: '2' as never }, /threads must be a positive integer/],
    [{ threads: [2] as never }, /threads must be a positive integer/],
    [{ threads: { decode: 0 } }, /threads.decode must be a positive integer/],
    [{ threads: { decoder: 1 } as never }, /decode/],
    [{ rows: 0 }, /rows must be a positive integer/],
    [{ rows: 1.5 }, /rows must be a positive integer/],
    [{ onThreads: 1 as never }, /onThreads must be a function/],
  ] as readonly (readonly [LoadOptions, RegExp])[])('refuse %j', async (options, message) => {
    await expect(openCheckpointParts(demo, options)).rejects.toThrow(message);
  });

  test('are told of no number where there is none', async () => {
    const events = notingHosts();
    vi.mocked(defaultThreads).mockResolvedValue(undefined);
    await using parts = await openCheckpointParts(demo, {
      isolate: 'worker',
      dtype: 'fp32',
      onThreads: (chosen) => events.push(chosen),
    });
    await parts.vision();
    expect(events).toEqual(['start', { dtype: 'fp32' }]);
  });
});
