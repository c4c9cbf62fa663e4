import type { Tensor } from '@blip2/interfaces';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createPartHost } from './create-part-host.ts';
import type { PartHost } from './part-host.ts';

const module = new URL('./fixtures/toy-parts.mjs', import.meta.url).href;

interface Journal {
  read(): Promise<string[]>;
}
interface Progress {
  onProgress?: (event: unknown) => void;
  signal?: AbortSignal;
}
interface Counter extends AsyncDisposable {
  readonly config: { readonly name: string; readonly nested: { readonly step: number } };
  readonly weights: Tensor<'float32'>;
  readonly value: number;
  add(amount: number): Promise<number>;
  slowAdd(amount: number, milliseconds: number): Promise<number>;
  echo(...args: unknown[]): Promise<unknown[]>;
  kindOf(item: unknown): Promise<unknown>;
  sameObject(left: unknown, right: unknown): Promise<boolean>;
  readOther(other: unknown): Promise<number>;
  self(): Promise<Counter>;
  spin(milliseconds: number): Promise<number>;
  spinTwice(milliseconds: number, options: Progress): Promise<string>;
  isAborted(signal: AbortSignal): Promise<boolean>;
  progressOfCreation(step: number): Promise<boolean | undefined>;
  giveFunction(): Promise<unknown>;
  fail(kind: string): Promise<never>;
  dispose(): Promise<void>;
}
interface ToyDecoding extends AsyncDisposable {
  readonly length: number;
  readonly logits: Tensor<'float32'>;
  extend(more: { ids: number[][] }): Promise<Tensor<'float32'>>;
  overwrite(value: number): Promise<void>;
  fork(): Promise<ToyDecoding>;
  crop(length: number): Promise<void>;
  both(): Promise<{ first: ToyDecoding; second: ToyDecoding; logits: Tensor<'float32'> }>;
}
interface ToyLanguageModel extends AsyncDisposable {
  readonly source: string;
  start(prompt: { ids: number[] }): Promise<ToyDecoding>;
}

describe.each(['worker', 'process'] as const)('%s', (isolate) => {
  let host: PartHost;
  let journal: Journal;
  const createCounter = (...args: unknown[]): Promise<Counter> =>
    host.create<Counter>({ module, export: 'createCounter', args });
  const start = async (ids: number[]): Promise<ToyDecoding> => {
    const model = await host.create<ToyLanguageModel>({
      module,
      export: 'ToyLanguageModel.fromPretrained',
      args: ['here'],
    });
    return model.start({ ids });
  };

  beforeAll(async () => {
    host = createPartHost({ isolate });
    journal = await host.create<Journal>({ module, export: 'createJournal' });
  });
  afterAll(() => host[Symbol.asyncDispose]());

  describe('a remote', () => {
    test('has the data of its part, deeply frozen, and is not thenable', async () => {
      const counter = await createCounter(3);
      expect(counter.value).toBe(3);
      expect(counter.config).toStrictEqual({ name: 'counter', sizes: [1, 2], nested: { step: 1 } });
      expect(Object.isFrozen(counter.config.nested)).toBe(true);
      expect(counter.weights.data).toStrictEqual(Float32Array.of(0.5, Number.NaN));
      expect('then' in counter).toBe(false);
      expect(Object.keys(counter)).not.toContain('dispose');
    });

    test('refreshes changed properties after each call and keeps the identity of others', async () => {
      const counter = await createCounter(3);
      const { config, weights } = counter;
      await expect(counter.add(4)).resolves.toBe(7);
      expect(counter.value).toBe(7);
      expect(counter.config).toBe(config);
      expect(counter.weights).toBe(weights);
    });

    test('transfers logits once: the result and the getter are the same object', async () => {
      const decoding = await start([1, 2]);
      expect(decoding.length).toBe(2);
      expect(decoding.logits.data).toStrictEqual(Float32Array.of(2, 3, 4));
      const logits = await decoding.extend({ ids: [[5]] });
      expect(logits.data).toStrictEqual(Float32Array.of(3, 4, 5));
      expect(decoding.logits).toBe(logits);
      expect(decoding.length).toBe(3);
      await decoding.crop(1);
      expect(decoding.length).toBe(1);
    });

    test('throws while the getter of its part throws', async () => {
      const decoding = await start([1, 2]);
      await decoding.crop(1);
      expect(decoding.length).toBe(1);
      expect(() => decoding.logits).toThrow(
        expect.objectContaining({ name: 'Blip2Error', code: 'INVALID_STATE', details: { fix: 'Extend it.' } }),
      );
      const fork = await decoding.fork();
      expect(fork.logits.data).toStrictEqual(Float32Array.of(1, 2, 3));
      await decoding.extend({ ids: [[5]] });
      expect(decoding.logits.data).toStrictEqual(Float32Array.of(2, 3, 4));
    });

    test('notices an array that its part overwrote', async () => {
      const decoding = await start([1]);
      const before = decoding.logits;
      await decoding.overwrite(9);
      expect(decoding.logits.data).toStrictEqual(Float32Array.of(9, 9, 9));
      expect(before.data).toStrictEqual(Float32Array.of(1, 2, 3));
    });
  });

  describe('handles', () => {
    test('represent results with methods at any depth, one per object', async () => {
      const decoding = await start([1, 2]);
      const { first, second, logits } = await decoding.both();
      expect(first).toBe(decoding);
      expect(logits.data).toStrictEqual(Float32Array.of(2, 3, 4));
      await second.extend({ ids: [[1], [2]] });
      expect([decoding.length, second.length]).toEqual([2, 4]);
      const counter = await createCounter();
      await expect(counter.self()).resolves.toBe(counter);
    });

    test('resolve remotes among the arguments to the original object', async () => {
      const [left, right] = [await createCounter(1), await createCounter(2)];
      await expect(left.sameObject(left, { nested: left })).resolves.toBe(false);
      await expect(left.sameObject(right, right)).resolves.toBe(true);
      await expect(left.readOther(right)).resolves.toBe(2);
    });

    test('do not include remotes of another host', async () => {
      await using other = createPartHost({ isolate });
      const foreign = await other.create<Counter>({ module, export: 'createCounter' });
      const counter = await createCounter();
      await expect(counter.readOther(foreign)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { where: 'readOther[0]', got: 'a part of another host' },
      });
    });

    test('dispose once, and reject with DISPOSED afterwards', async () => {
      const counter = await createCounter();
      await journal.read();
      await Promise.all([counter[Symbol.asyncDispose](), counter.dispose()]);
      await counter.dispose();
      await expect(journal.read()).resolves.toEqual(['counter disposed 1']);
      await expect(counter.add(1)).rejects.toMatchObject({ code: 'DISPOSED' });
      const other = await createCounter();
      await expect(other.readOther(counter)).rejects.toMatchObject({
        code: 'DISPOSED',
        details: { where: 'readOther[0]' },
      });
    });
  });

  describe('arguments and results', () => {
    test('copies typed arrays and leaves those of the caller unchanged', async () => {
      const counter = await createCounter();
      const data = new Float32Array(100).fill(2);
      const [received] = await counter.echo({ data: data.subarray(5, 8) });
      expect(received).toStrictEqual({ data: Float32Array.of(2, 2, 2) });
      expect(data.byteLength).toBe(400);
      await expect(counter.kindOf(data.subarray(5, 8))).resolves.toEqual({
        name: 'Float32Array',
        bytes: 12,
        shared: false,
      });
      await expect(counter.kindOf(new Uint8Array(new SharedArrayBuffer(8)))).resolves.toEqual({
        name: 'Uint8Array',
        bytes: 8,
        shared: false,
      });
    });

    test.each([
      ['a function', { createSession: () => 1 }, 'echo[0].createSession'],
      ['a symbol', { deep: [Symbol('x')] }, 'echo[0].deep[0]'],
      ['an instance with methods', { source: new URL('file:///x') }, 'echo[0].source'],
      ['a promise', Promise.resolve(1), 'echo[0]'],
    ])('rejects %s with its path', async (_, argument, where) => {
      const counter = await createCounter();
      await expect(counter.echo(argument)).rejects.toMatchObject({
        name: 'Blip2Error',
        code: 'INVALID_ARGUMENT',
        details: { where },
      });
      await expect(counter.add(1)).resolves.toBe(1);
    });

    test('copies a Blob to a thread, and rejects it for a process', async () => {
      const counter = await createCounter();
      const kind = counter.kindOf(new Blob(['text']));
      if (isolate === 'worker') await expect(kind).resolves.toMatchObject({ name: 'Blob' });
      else
        await expect(kind).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          details: { where: 'kindOf[0]', got: 'an instance of Blob' },
        });
    });

    test('rejects a function as a result', async () => {
      const counter = await createCounter();
      await expect(counter.giveFunction()).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { where: 'the result of giveFunction' },
      });
    });

    test('runs calls one at a time, in order', async () => {
      const [left, right] = [await createCounter(), await createCounter()];
      await journal.read();
      await Promise.all([left.slowAdd(1, 30), right.slowAdd(2, 1), left.slowAdd(3, 1)]);
      await expect(journal.read()).resolves.toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3']);
    });
  });

  describe('signals and callbacks', () => {
    test("aborts between runs with the caller's reason", async () => {
      const counter = await createCounter();
      const controller = new AbortController();
      const reason = { my: 'reason', twice: () => 2 };
      const turns: unknown[] = [];
      const call = counter.spinTwice(80, {
        signal: controller.signal,
        onProgress: (event) => {
          turns.push(event);
          controller.abort(reason);
        },
      });
      await expect(call).rejects.toBe(reason);
      expect(turns).toEqual([{ turn: 0 }]);
    });

    test('rejects with an AbortError by default, also for a queued call', async () => {
      const counter = await createCounter();
      const controller = new AbortController();
      const first = counter.spin(60);
      const second = counter.spinTwice(1, { signal: controller.signal });
      controller.abort();
      await expect(second).rejects.toMatchObject({ name: 'AbortError' });
      await expect(first).resolves.toBe(60);
      await expect(counter.isAborted(controller.signal)).resolves.toBe(true);
      await expect(counter.isAborted(new AbortController().signal)).resolves.toBe(false);
    });

    test('forwards callbacks in order, and rejects the call if one throws', async () => {
      const counter = await createCounter();
      const turns: unknown[] = [];
      await expect(
        counter.spinTwice(1, {
          onProgress: (event) => {
            turns.push(event);
          },
        }),
      ).resolves.toBe('finished');
      expect(turns).toEqual([{ turn: 0 }, { turn: 1 }]);
      await expect(
        counter.spinTwice(1, {
          onProgress: () => {
            throw new RangeError('mine');
          },
        }),
      ).rejects.toThrow(new RangeError('mine'));
    });

    test('keeps the signal and callbacks passed to `create` for the lifetime of the part', async () => {
      const controller = new AbortController();
      const steps: unknown[] = [];
      const counter = await createCounter(0, {
        signal: controller.signal,
        onProgress: (event: unknown) => {
          steps.push(event);
        },
      });
      await expect(counter.progressOfCreation(1)).resolves.toBe(false);
      controller.abort();
      await expect(counter.progressOfCreation(2)).resolves.toBe(true);
      expect(steps).toEqual([{ step: 1 }, { step: 2 }]);
    });
  });

  describe('errors', () => {
    test('arrive with class, code, details and cause', async () => {
      const counter = await createCounter();
      await expect(counter.fail('blip2')).rejects.toMatchObject({
        name: 'Blip2Error',
        code: 'SHAPE_MISMATCH',
        message: 'widths differ (toy): expected [1], got [2]. Change it.',
        details: { expected: '[1]', got: '[2]', where: 'toy', fix: 'Change it.' },
        cause: { name: 'RangeError', message: 'deep' },
      });
      await expect(counter.fail('abort')).rejects.toMatchObject({ name: 'AbortError', message: 'stopped' });
      await expect(counter.fail('type')).rejects.toMatchObject({
        name: 'TypeError',
        message: 'wrong type',
        cause: 'text',
        stack: expect.stringContaining('toy-parts'),
      });
      await expect(counter.fail('system')).rejects.toMatchObject({ code: 'ENOENT', path: '/nowhere' });
      await expect(counter.fail('named')).rejects.toMatchObject({ name: 'CustomError' });
      await expect(counter.fail('text')).rejects.toBe('just text');
    });
  });

  describe('the event loop of the caller', () => {
    test('stays free while a part computes', async () => {
      const counter = await createCounter();
      let longestGap = 0;
      let last = performance.now();
      const timer = setInterval(() => {
        const now = performance.now();
        longestGap = Math.max(longestGap, now - last);
        last = now;
      }, 2);
      await counter.spin(1000);
      clearInterval(timer);
      expect(longestGap).toBeGreaterThan(0);
      // A blocked caller would be unresponsive for the whole second; one that only shares its core with others is not.
      expect(longestGap).toBeLessThan(500);
    });
  });
});
