import { setTimeout as sleep } from 'node:timers/promises';

import { Blip2Error } from '@blip2/interfaces';
import { expect, onTestFinished, test } from 'vitest';

import { endPartWorkers } from './cooperative-exit.ts';
import { createPartHost } from './create-part-host.ts';
import type { PartHost } from './part-host.ts';
import { openLinks } from './part-link.ts';

const module = new URL('./fixtures/toy-parts.mjs', import.meta.url).href;

interface Counter extends AsyncDisposable {
  readonly value: number;
  add(amount: number): Promise<number>;
  pid(): Promise<number>;
  endBy(signal: string): Promise<never>;
  leave(code: number): Promise<never>;
  progressOfCreation(step: number): Promise<boolean | undefined>;
  readOther(other: Counter): Promise<number>;
}
interface ToyDecoding extends AsyncDisposable {
  readonly length: number;
  fork(): Promise<ToyDecoding>;
}
interface ToyLanguageModel {
  start(prompt: { ids: number[] }): Promise<ToyDecoding>;
}

function openHost(isolate: PartHost['isolate']): PartHost {
  const host = createPartHost({ isolate });
  onTestFinished(() => host[Symbol.asyncDispose]());
  return host;
}
const createCounter = (host: PartHost, ...args: unknown[]): Promise<Counter> =>
  host.create<Counter>({ module, export: 'createCounter', args });

test.each(['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGKILL'])(
  'a child process that ends by %s fails its calls with WORKER_FAILED, and is replaced',
  async (signal) => {
    const host = openHost('process');
    const counter = await createCounter(host, 5);
    const first = await counter.pid();
    expect(first).not.toBe(process.pid);
    const expected = { name: 'Blip2Error', code: 'WORKER_FAILED', details: { subject: signal } };
    const outcomes = await Promise.allSettled([counter.endBy(signal), counter.add(1)]);
    expect(outcomes).toMatchObject([{ reason: expected }, { reason: expected }]);
    const again = await Promise.all([counter.add(1), counter.add(1), counter.pid()]);
    expect(again.slice(0, 2)).toEqual([6, 7]);
    expect(again[2]).not.toBe(first);
    expect(counter.value).toBe(7);
  },
);

test.each(['worker', 'process'] as const)('a %s that ends while idle is replaced at the next call', async (isolate) => {
  const host = openHost(isolate);
  const counter = await createCounter(host, 1);
  await expect(counter.leave(3)).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  const other = await createCounter(host, 2);
  // Parts of both workers at once: the first is created again.
  await expect(other.readOther(counter)).resolves.toBe(1);
  await expect(counter.add(1)).resolves.toBe(2);
});

test.each(['worker', 'process'] as const)('a part that has changed is not created again in a %s', async (isolate) => {
  const host = openHost(isolate);
  let changed = false;
  const expectUnchanged = async (): Promise<void> => {
    if (changed) throw new Blip2Error('MODEL_CHANGED', 'changed');
  };
  const counter = await host.create<Counter>({ module, export: 'createCounter', args: [1], expectUnchanged });
  await expect(counter.leave(1)).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  changed = true;
  await expect(counter.add(1)).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
  await expect(counter.add(1)).rejects.toMatchObject({ code: 'MODEL_CHANGED' });
  changed = false;
  await expect(counter.add(1)).resolves.toBe(2);
});

test('a part that was created with another part is created again together with it', async () => {
  const host = openHost('worker');
  const counter = await createCounter(host, 4);
  const reader = await host.create<{ read(): Promise<number> }>({ module, export: 'createReader', args: [counter] });
  await expect(reader.read()).resolves.toBe(4);
  await expect(counter.leave(1)).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  await expect(reader.read()).resolves.toBe(4);
  await expect(counter.add(1)).resolves.toBe(5);
  await expect(reader.read()).resolves.toBe(5);
});

test('a part is created again without the signal of its first creation', async () => {
  const host = openHost('worker');
  const controller = new AbortController();
  const counter = await createCounter(host, 4, { signal: controller.signal });
  controller.abort();
  await expect(counter.progressOfCreation(1)).resolves.toBe(true);
  await expect(counter.leave(1)).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  await expect(counter.progressOfCreation(1)).resolves.toBeUndefined();
});

test('a result with methods is lost with its worker', async () => {
  const host = openHost('process');
  const model = await host.create<ToyLanguageModel>({ module, export: 'ToyLanguageModel.fromPretrained', args: ['x'] });
  const counter = await createCounter(host);
  const decoding = await model.start({ ids: [1, 2] });
  await expect(counter.endBy('SIGKILL')).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  await expect(decoding.fork()).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  expect((await model.start({ ids: [1, 2, 3] })).length).toBe(3);
  await expect(decoding.fork()).rejects.toMatchObject({ code: 'WORKER_FAILED' });
  await decoding[Symbol.asyncDispose]();
});

test('workers that end while they start are not replaced for ever', async () => {
  const host = openHost('process');
  const crash = (): Promise<object> => host.create({ module, export: 'crashAtCreation' });
  for (let start = 0; start < 3; start++)
    await expect(crash()).rejects.toMatchObject({ code: 'WORKER_FAILED', details: { subject: 'SIGKILL' } });
  await expect(crash()).rejects.toMatchObject({
    code: 'WORKER_FAILED',
    message: expect.stringContaining('The last 3 part workers ended before they completed a call'),
  });
});

test.each(['worker', 'process'] as const)(
  'an abort does not wait for a part that is being created in a %s, nor does disposal then',
  async (isolate) => {
    await endPartWorkers();
    const host = openHost(isolate);
    const controller = new AbortController();
    const reason = new Error('enough');
    const args = [2000, { signal: controller.signal }];
    const created = host.create({ module, export: 'createSlowly', args });
    await sleep(500);
    controller.abort(reason);
    await expect(created).rejects.toBe(reason);
    await host[Symbol.asyncDispose]();
    // Its worker is still running. Those of other tests have ended.
    expect(openLinks.size).toBe(1);
    await endPartWorkers();
    await expect(createCounter(host)).rejects.toMatchObject({ code: 'DISPOSED' });
  },
);

test('a part whose creation was aborted is disposed of, and the host can be used further', async () => {
  const host = openHost('process');
  const controller = new AbortController();
  const created = host.create({ module, export: 'createSlowly', args: [300, { signal: controller.signal }] });
  const aborted = expect(created).rejects.toMatchObject({ name: 'AbortError' });
  setTimeout(() => controller.abort(), 200);
  await aborted;
  await expect((await createCounter(host, 3)).add(1)).resolves.toBe(4);
});
