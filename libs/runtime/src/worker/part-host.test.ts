import { describe, expect, test } from 'vitest';

import { createPartHost } from './create-part-host.ts';
import type { PartHost } from './part-host.ts';

const module = new URL('./fixtures/toy-parts.mjs', import.meta.url).href;

interface Counter extends AsyncDisposable {
  readonly value: number;
  add(amount: number): Promise<number>;
  spin(milliseconds: number): Promise<number>;
  slowAdd(amount: number, milliseconds: number): Promise<number>;
  leave(code: number): Promise<never>;
  throwLater(): Promise<never>;
  exhaust(): Promise<never>;
}
interface Journal {
  read(): Promise<string[]>;
}

const createCounter = (host: PartHost, ...args: unknown[]): Promise<Counter> =>
  host.create<Counter>({ module, export: 'createCounter', args });

describe.each(['inline', 'worker', 'process'] as const)('a part host, %s', (isolate) => {
  test('creates parts from a module URL and an export, or a dotted path to one', async () => {
    await using host = createPartHost({ isolate });
    const counter = await createCounter(host, 5);
    expect(counter.value).toBe(5);
    expect(await counter.add(2)).toBe(7);
    expect(counter.value).toBe(7);
    const model = await host.create<{ source: string }>({
      module: new URL(module),
      export: 'ToyLanguageModel.fromPretrained',
      args: ['folder'],
    });
    expect(model.source).toBe('folder');
  });

  test('reports an invalid module or export', async () => {
    await using host = createPartHost({ isolate });
    await expect(host.create({ module: 'toy-parts.mjs', export: 'x' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'module', got: '"toy-parts.mjs"' },
    });
    await expect(host.create({ module: `${module}.missing`, export: 'x' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { where: `${module}.missing` },
    });
    await expect(host.create({ module, export: 'ToyLanguageModel.missing' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('must export a function ToyLanguageModel.missing'),
    });
    await expect(host.create({ module, export: 'ToyLanguageModel.number' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { got: 'number' },
    });
  });

  test('works after a failed start', async () => {
    await using host = createPartHost({ isolate });
    host.start(`${module}.missing`);
    expect((await createCounter(host, 5)).value).toBe(5);
  });

  test('creates no parts after disposal', async () => {
    const host = createPartHost({ isolate });
    await createCounter(host);
    await host[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
    await expect(createCounter(host)).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  test('reports a part that cannot be disposed, after disposing of the others', async () => {
    const host = createPartHost({ isolate });
    await createCounter(host);
    await host.create({ module, export: 'ToyLanguageModel.brokenDisposal' });
    await expect(host[Symbol.asyncDispose]()).rejects.toThrow('disposal failed');
  });
});

test.each([
  ['inline', undefined],
  ['worker', 'imported'],
  ['process', 'imported'],
] as const)('imports ahead what it is started with: %s', async (isolate, expected) => {
  await using host = createPartHost({ isolate });
  host.start("data:text/javascript,globalThis.startedAhead = 'imported';");
  const part = await host.create<{ look(): Promise<unknown> }>({
    module: 'data:text/javascript,export const create = () => ({ look: () => globalThis.startedAhead });',
    export: 'create',
  });
  expect(await part.look()).toBe(expected);
});

test('disposes of inline parts newest first', async () => {
  const host = createPartHost({ isolate: 'inline' });
  const journal = await host.create<Journal>({ module, export: 'createJournal' });
  await host.create({ module, export: 'ToyLanguageModel.fromPretrained', args: ['x'] });
  await createCounter(host);
  await journal.read();
  await host[Symbol.asyncDispose]();
  expect(await journal.read()).toEqual(['counter disposed 1', 'language model disposed']);
});

describe.each(['worker', 'process'] as const)('the end of a worker, %s', (isolate) => {
  test('does not dispose of a part twice', async () => {
    const host = createPartHost({ isolate });
    const part = await host.create<{ dispose(): Promise<void> }>({ module, export: 'ToyLanguageModel.disposableOnce' });
    await part.dispose();
    await host[Symbol.asyncDispose]();
  });

  test('waits for the call in progress and rejects queued calls', async () => {
    const host = createPartHost({ isolate });
    const counter = await createCounter(host);
    const running = counter.slowAdd(1, 50);
    const outcomes = Promise.allSettled([running, counter.add(1), counter[Symbol.asyncDispose]()]);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    await host[Symbol.asyncDispose]();
    await expect(outcomes).resolves.toMatchObject([
      { status: 'fulfilled', value: 1 },
      { reason: { code: 'DISPOSED' } },
      { status: 'fulfilled' },
    ]);
    await expect(counter.add(1)).rejects.toMatchObject({ code: 'DISPOSED' });
    await counter[Symbol.asyncDispose]();
  });

  test.each([
    ['exits', (counter: Counter) => counter.leave(7), 'its exit with code 7'],
    ['throws where nobody catches', (counter: Counter) => counter.throwLater(), 'RangeError: nobody caught this'],
    ['runs out of memory', (counter: Counter) => counter.exhaust(), 'memory limit'],
  ])('rejects everything with WORKER_FAILED when it %s', async (_, die, got) => {
    const host = createPartHost({ isolate, resourceLimits: { maxOldGenerationSizeMb: 32 } });
    const counter = await createCounter(host);
    const expected = { name: 'Blip2Error', code: 'WORKER_FAILED', details: { got: expect.stringContaining(got) } };
    const outcomes = await Promise.allSettled([die(counter), counter.add(1)]);
    expect(outcomes).toMatchObject([{ reason: expected }, { reason: expected }]);
    // Another worker has created the part again.
    await expect(counter.add(1)).resolves.toBe(1);
    await expect((await createCounter(host, 5)).add(1)).resolves.toBe(6);
    await counter[Symbol.asyncDispose]();
    await host[Symbol.asyncDispose]();
  });
});
