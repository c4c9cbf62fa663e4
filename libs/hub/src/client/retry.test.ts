import { Blip2Error } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { hubIo } from './hub-io.ts';
import { retryAfter, transient, withRetries } from './retry.ts';

describe('withRetries', () => {
  const failure = new Blip2Error('DOWNLOAD_FAILED', 'no');
  const run = async (results: readonly object[], attempts = 5): Promise<{ waits: number[]; outcome: unknown }> => {
    const waits: number[] = [];
    const remaining = [...results];
    const io = { ...hubIo, random: () => 0.5, sleep: async (milliseconds: number) => void waits.push(milliseconds) };
    const outcome = await withRetries(async () => transient(failure, remaining.shift() ?? {}), {
      io,
      signal: undefined,
      attempts,
    }).catch((error: unknown) => error);
    return { waits, outcome };
  };

  test('backs off exponentially with jitter', async () => {
    expect(await run([])).toEqual({ waits: [375, 750, 1500, 3000], outcome: failure });
  });

  test('waits as long as the server requests, up to a limit', async () => {
    expect((await run([{ retryAfter: 7000 }, {}], 3)).waits).toEqual([7000, 750]);
    expect(await run([{ retryAfter: 301_000 }])).toEqual({ waits: [], outcome: failure });
  });

  test('restarts the count of failures after progress', async () => {
    expect((await run([{}, {}, { progressed: true }], 3)).waits).toEqual([375, 750, 375, 750]);
    expect((await run([{}, { progressed: true }, {}], 3)).waits).toEqual([375, 375, 750]);
  });

  test.each([
    ['7', 7000],
    ['0', 0],
    ['Thu, 01 Jan 1970 00:00:09 GMT', 8000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['1.5', 1500],
    ['soon', undefined],
  ])('parses Retry-After: %s', (value, milliseconds) => {
    expect(retryAfter(new Headers({ 'retry-after': value }), 1000)).toBe(milliseconds);
  });

  test('compares a date with the clock of the server', () => {
    const headers = { 'retry-after': 'Thu, 01 Jan 2026 00:00:09 GMT', date: 'Thu, 01 Jan 2026 00:00:02 GMT' };
    expect(retryAfter(new Headers(headers), 1000)).toBe(7000);
  });
});
