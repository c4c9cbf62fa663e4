import { setImmediate as turn } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { type CallQueue, createCallQueue, type QueuedCall } from './call-queue.ts';

/** A call that notes in `log` when it runs, and ends when it is told to. */
function call(queue: CallQueue, log: string[], name: string, options: QueuedCall = {}) {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const done = queue.run(options, async (enter) => {
    await enter();
    log.push(name);
    await ended;
    return name;
  });
  return { done, end };
}

/** A call that ends at once if it is admitted. */
const refused = (queue: CallQueue, options: QueuedCall = {}): Promise<void> =>
  queue.run(options, async () => undefined);

const full = { name: 'Blip2Error', code: 'QUEUE_FULL' };

describe('the queue of a model', () => {
  test('runs two calls at a time, and further ones in order', async () => {
    const log: string[] = [];
    const queue = createCallQueue();
    const calls = ['a', 'b', 'c', 'd'].map((name) => call(queue, log, name));
    await turn();
    expect(log).toEqual(['a', 'b']);
    calls[1]?.end();
    await turn();
    expect(log).toEqual(['a', 'b', 'c']);
    for (const { end } of calls) end();
    await expect(Promise.all(calls.map(({ done }) => done))).resolves.toEqual(['a', 'b', 'c', 'd']);
  });

  test('refuses calls beyond maxWaiting at once, and accepts them again later', async () => {
    const log: string[] = [];
    const queue = createCallQueue({ maxWaiting: 1 });
    const calls = ['a', 'b', 'c'].map((name) => call(queue, log, name));
    await expect(refused(queue)).rejects.toMatchObject({
      ...full,
      details: { expected: 'at most 1', fix: expect.stringContaining('maxWaiting') },
    });
    calls[0]?.end();
    await calls[0]?.done;
    const later = call(queue, log, 'e');
    for (const { end } of [...calls, later]) end();
    await expect(later.done).resolves.toBe('e');
    expect(log).toEqual(['a', 'b', 'c', 'e']);
  });

  test('accepts 512 waiting calls by default', async () => {
    const queue = createCallQueue();
    const calls = Array.from({ length: 2 + 512 }, (_, index) => call(queue, [], String(index)));
    await expect(refused(queue)).rejects.toMatchObject(full);
    for (const { end } of calls) end();
    expect((await Promise.all(calls.map(({ done }) => done))).length).toBe(514);
  });

  test('counts a call whose inputs are still being prepared as waiting', async () => {
    const queue = createCallQueue({ maxWaiting: 0 });
    const preparing = [1, 2].map(() => queue.run({}, () => turn()));
    await expect(refused(queue)).rejects.toMatchObject(full);
    await Promise.all(preparing);
    await expect(queue.run({}, async () => 1)).resolves.toBe(1);
  });

  test('runs one list at a time, which delays no single call', async () => {
    const log: string[] = [];
    const queue = createCallQueue();
    const lists = ['list 1', 'list 2', 'list 3'].map((name) => call(queue, log, name, { isList: true }));
    const single = call(queue, log, 'single');
    await turn();
    expect(log).toEqual(['list 1', 'single']);
    for (const { end } of [...lists, single]) end();
    await Promise.all(lists.map(({ done }) => done));
    expect(log).toEqual(['list 1', 'single', 'list 2', 'list 3']);
  });

  test('counts waiting lists and single calls together', async () => {
    const log: string[] = [];
    const queue = createCallQueue({ maxWaiting: 1 });
    const lists = [1, 2].map((name) => call(queue, log, `list ${name}`, { isList: true }));
    // Two single calls can run, a third would wait.
    const singles = ['a', 'b'].map((name) => call(queue, log, name));
    await expect(refused(queue)).rejects.toMatchObject(full);
    await expect(refused(queue, { isList: true })).rejects.toMatchObject(full);
    for (const { end } of [...lists, ...singles]) end();
    await Promise.all([...lists, ...singles].map(({ done }) => done));
  });

  test('gives the place of a failed call to the next one', async () => {
    const queue = createCallQueue({ maxWaiting: 0 });
    for (let count = 0; count < 5; count++) {
      await expect(queue.run({}, () => Promise.reject(new RangeError('mine')))).rejects.toThrow('mine');
    }
  });

  test.each([-1, 0.5, NaN, '3' as unknown as number])('refuses maxWaiting %s', (maxWaiting) => {
    expect(() => createCallQueue({ maxWaiting })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

describe('an abort', () => {
  test('rejects a waiting call at once and removes it from the queue', async () => {
    const log: string[] = [];
    const queue = createCallQueue({ maxWaiting: 1 });
    const running = ['a', 'b'].map((name) => call(queue, log, name));
    const controller = new AbortController();
    const waiting = call(queue, log, 'c', { signal: controller.signal });
    await turn();
    controller.abort(new Error('enough'));
    await expect(waiting.done).rejects.toThrow('enough');
    const next = call(queue, log, 'd');
    for (const { end } of [...running, next]) end();
    await next.done;
    expect(log).toEqual(['a', 'b', 'd']);
  });

  test('rejects a running call at once, whose place is free when its work has ended', async () => {
    const log: string[] = [];
    const queue = createCallQueue();
    const controller = new AbortController();
    const aborted = ['a', 'b'].map((name) => call(queue, log, name, { signal: controller.signal }));
    const next = call(queue, log, 'c');
    await turn();
    controller.abort();
    for (const { done } of aborted) await expect(done).rejects.toMatchObject({ name: 'AbortError' });
    await turn();
    expect(log).toEqual(['a', 'b']);
    aborted[0]?.end();
    next.end();
    await next.done;
    expect(log).toEqual(['a', 'b', 'c']);
  });

  test('of the options of a wrapped function rejects its call', async () => {
    const queue = createCallQueue();
    const forever = queue.wrap((_: number, options?: { readonly signal?: AbortSignal }) => new Promise(() => options));
    const controller = new AbortController();
    const pending = forever(1, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(pending).rejects.toThrow('enough');
    await expect(queue.wrap(async (left: number, right: number) => left + right)(1, 2)).resolves.toBe(3);
  });
});

describe('a paused call', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test('gives its place to another one after 100 ms, and resumes without waiting', async () => {
    const log: string[] = [];
    const queue = createCallQueue();
    const streams = [queue.admit(), queue.admit()];
    for (const stream of streams) await stream.enter();
    const next = call(queue, log, 'next');
    streams[0]?.pause();
    vi.advanceTimersByTime(99);
    streams[0]?.resume();
    vi.advanceTimersByTime(1000);
    await turn();
    expect(log).toEqual([]);
    streams[0]?.pause();
    vi.advanceTimersByTime(100);
    await turn();
    expect(log).toEqual(['next']);
    streams[0]?.resume();
    next.end();
    await next.done;
    // Both streams hold their places again.
    const last = call(queue, log, 'last');
    await turn();
    expect(log).toEqual(['next']);
    for (const stream of streams) stream.leave();
    last.end();
    await last.done;
    expect(log).toEqual(['next', 'last']);
  });

  test('still counts, since it holds memory', async () => {
    const queue = createCallQueue({ maxWaiting: 0 });
    const streams = [queue.admit(), queue.admit()];
    for (const stream of streams) {
      await stream.enter();
      stream.pause();
    }
    vi.advanceTimersByTime(1000);
    expect(() => queue.admit()).toThrow(expect.objectContaining(full));
    for (const stream of streams) stream.leave();
    queue.admit().leave();
  });
});

describe('an idle model', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('is one that no call has used for a second, after a first one', async () => {
    const queue = createCallQueue();
    let idle = 0;
    queue.whenIdle(() => void idle++);
    await vi.advanceTimersByTimeAsync(5000);
    expect(idle).toBe(0);
    const first = call(queue, [], 'a');
    const second = call(queue, [], 'b');
    first.end();
    await first.done;
    await vi.advanceTimersByTimeAsync(5000);
    expect(idle).toBe(0);
    second.end();
    await second.done;
    await vi.advanceTimersByTimeAsync(999);
    const third = call(queue, [], 'c', { isList: true });
    await vi.advanceTimersByTimeAsync(5000);
    expect(idle).toBe(0);
    third.end();
    await third.done;
    await vi.advanceTimersByTimeAsync(1000);
    expect(idle).toBe(1);
    await vi.advanceTimersByTimeAsync(5000);
    expect(idle).toBe(1);
  });
});
