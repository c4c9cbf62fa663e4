import { describe, expect, test } from 'vitest';

import { packedLater, type RunnableSession } from './packed-later.ts';

/** Writes down what is done with it. */
function session(name: string, events: string[]): RunnableSession {
  return {
    run: () => {
      events.push(`${name} runs`);
      return Promise.resolve({});
    },
    release: () => {
      events.push(`${name} is released`);
      return Promise.resolve();
    },
  };
}

async function made(
  pack?: () => Promise<RunnableSession>,
): Promise<{ readonly later: RunnableSession; readonly events: string[] }> {
  const events: string[] = [];
  const packNow = (): Promise<RunnableSession> => {
    events.push('packing');
    return Promise.resolve(session('packed', events));
  };
  return {
    later: await packedLater({ plain: () => Promise.resolve(session('plain', events)), packed: pack ?? packNow }),
    events,
  };
}

describe('packedLater', () => {
  test('runs once as it is, gives that session back, and then packs, once', async () => {
    const { later, events } = await made();
    for (let run = 0; run < 3; run++) await later.run({});
    expect(events).toEqual(['plain runs', 'plain is released', 'packing', 'packed runs', 'packed runs']);
    await later.release();
    expect(events.at(-1)).toBe('packed is released');
  });

  test('never packs for one run', async () => {
    const { later, events } = await made();
    await later.run({});
    await later.release();
    expect(events).toEqual(['plain runs', 'plain is released']);
  });

  test('packs once for runs that are asked for together', async () => {
    const { later, events } = await made();
    await Promise.all([later.run({}), later.run({}), later.run({})]);
    expect(events.filter((event) => event === 'packing')).toHaveLength(1);
    expect(events.filter((event) => event.endsWith('runs'))).toHaveLength(3);
    expect(events.indexOf('plain runs')).toBeLessThan(events.indexOf('plain is released'));
  });

  test('goes on as it is where packing fails', async () => {
    const { later, events } = await made(() => Promise.reject(new Error('no memory')));
    for (let run = 0; run < 3; run++) await later.run({});
    await later.release();
    expect(events).toEqual(['plain runs', 'plain is released', 'plain runs', 'plain runs', 'plain is released']);
  });
});
