import { Blip2Error, f32, type OnnxModel, type Session, type SessionFactory } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { lazySessions } from './lazy-sessions.ts';

const signature = { inputs: {}, outputs: { y: f32(1) } };
const graph = (name: string): OnnxModel => ({ name, signature, serialize: () => new Uint8Array() });

interface Log {
  readonly created: string[];
  readonly released: string[];
  readonly options: unknown[];
  readonly createSession: SessionFactory;
}

/** A factory that records the sessions it creates and releases. Graphs named `bad` fail the first time. */
function recordingFactory(): Log {
  const log: Omit<Log, 'createSession'> = { created: [], released: [], options: [] };
  return {
    ...log,
    createSession: async ({ name }, options) => {
      await Promise.resolve();
      log.created.push(name);
      log.options.push(options);
      if (name === 'bad' && log.created.filter((created) => created === name).length === 1)
        throw new Blip2Error('SESSION_FAILED', 'bad graph');
      const session: Session = {
        run: async () => ({}),
        [Symbol.asyncDispose]: async () => void log.released.push(name),
      };
      return session as never;
    },
  };
}

describe('lazySessions', () => {
  test('settles the sessions that were created, one after another', async () => {
    const events: string[] = [];
    const createSession: SessionFactory = async ({ name }) =>
      ({
        run: async () => ({}),
        async settle() {
          events.push(`${name} settles`);
          await Promise.resolve();
          events.push(`${name} has settled`);
        },
        [Symbol.asyncDispose]: async () => undefined,
      }) as never;
    const sessions = lazySessions('part', { createSession });
    await sessions.settle();
    await sessions.get('a', () => graph('a'));
    await sessions.get('b', () => graph('b'));
    await sessions.settle();
    expect(events).toEqual(['a settles', 'a has settled', 'b settles', 'b has settled']);
  });

  test('creates a session on first use, once for concurrent calls', async () => {
    const log = recordingFactory();
    const sessions = lazySessions('part', log);
    let written = 0;
    const write = (): OnnxModel => {
      written++;
      return graph('a');
    };
    expect(log.created).toEqual([]);
    const [first, second] = await Promise.all([sessions.get('a', write), sessions.get('a', write)]);
    expect(first).toBe(second);
    expect(await sessions.get('a', write)).toBe(first);
    expect(written).toBe(1);
    await sessions.get('b', () => graph('b'));
    expect(log.created).toEqual(['a', 'b']);
  });

  test('tries again after a failure', async () => {
    const log = recordingFactory();
    const sessions = lazySessions('part', log);
    const both = await Promise.allSettled([
      sessions.get('bad', () => graph('bad')),
      sessions.get('bad', () => graph('bad')),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(sessions.get('bad', () => graph('bad'))).resolves.toBeDefined();
    expect(log.created).toEqual(['bad', 'bad']);
  });

  test('reports an error of building the graph and tries again', async () => {
    const sessions = lazySessions('part', recordingFactory());
    const missing = (): OnnxModel => {
      throw new Blip2Error('MISSING_WEIGHT', 'no such tensor');
    };
    await expect(sessions.get('a', missing)).rejects.toMatchObject({ code: 'MISSING_WEIGHT' });
    await expect(sessions.get('a', () => graph('a'))).resolves.toBeDefined();
  });

  test('releases all sessions, also those being created, and creates no more', async () => {
    const log = recordingFactory();
    const sessions = lazySessions('vision encoder', log);
    await sessions.get('a', () => graph('a'));
    const pending = sessions.get('b', () => graph('b'));
    await sessions[Symbol.asyncDispose]();
    await pending;
    await sessions[Symbol.asyncDispose]();
    expect(log.released.toSorted()).toEqual(['a', 'b']);
    await expect(sessions.get('a', () => graph('a'))).rejects.toMatchObject({
      code: 'DISPOSED',
      message: expect.stringContaining('vision encoder') as string,
    });
  });

  test('passes on threads and device only', async () => {
    const log = recordingFactory();
    const more = { ...log, threads: 3, device: 'cpu', token: 'secret' };
    await lazySessions('part', more).get('a', () => graph('a'));
    expect(log.options).toEqual([{ threads: 3, device: 'cpu' }]);
  });
});
