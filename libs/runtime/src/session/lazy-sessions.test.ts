import { Blip2Error, f32, type OnnxModel, type Session, type SessionFactory } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { lazySessions } from './lazy-sessions.ts';

const signature = { inputs: {}, outputs: { y: f32(1) } };
const graph = (name: string): OnnxModel => ({ name, signature, serialize: () => new Uint8Array() });

interface Log {
  readonly made: string[];
  readonly released: string[];
  readonly options: unknown[];
  readonly createSession: SessionFactory;
}

/** A factory that notes what it makes and what is released; graphs called `bad` fail the first time. */
function notingFactory(): Log {
  const log: Omit<Log, 'createSession'> = { made: [], released: [], options: [] };
  return {
    ...log,
    createSession: async ({ name }, options) => {
      await Promise.resolve();
      log.made.push(name);
      log.options.push(options);
      if (name === 'bad' && log.made.filter((made) => made === name).length === 1)
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
  test('makes a session when it is first asked for, once, however many ask', async () => {
    const log = notingFactory();
    const sessions = lazySessions('part', log);
    let written = 0;
    const write = (): OnnxModel => {
      written++;
      return graph('a');
    };
    expect(log.made).toEqual([]);
    const [first, second] = await Promise.all([sessions.get('a', write), sessions.get('a', write)]);
    expect(first).toBe(second);
    expect(await sessions.get('a', write)).toBe(first);
    expect(written).toBe(1);
    await sessions.get('b', () => graph('b'));
    expect(log.made).toEqual(['a', 'b']);
  });

  test('tries again after a failure', async () => {
    const log = notingFactory();
    const sessions = lazySessions('part', log);
    const both = await Promise.allSettled([
      sessions.get('bad', () => graph('bad')),
      sessions.get('bad', () => graph('bad')),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(sessions.get('bad', () => graph('bad'))).resolves.toBeDefined();
    expect(log.made).toEqual(['bad', 'bad']);
  });

  test('reports what a graph cannot be written for, and tries again', async () => {
    const sessions = lazySessions('part', notingFactory());
    const missing = (): OnnxModel => {
      throw new Blip2Error('MISSING_WEIGHT', 'no such tensor');
    };
    await expect(sessions.get('a', missing)).rejects.toMatchObject({ code: 'MISSING_WEIGHT' });
    await expect(sessions.get('a', () => graph('a'))).resolves.toBeDefined();
  });

  test('releases all sessions, those being made too, and makes no more', async () => {
    const log = notingFactory();
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

  test('hands on threads and device, and nothing else', async () => {
    const log = notingFactory();
    const more = { ...log, threads: 3, device: 'cpu', token: 'secret' };
    await lazySessions('part', more).get('a', () => graph('a'));
    expect(log.options).toEqual([{ threads: 3, device: 'cpu' }]);
  });
});
