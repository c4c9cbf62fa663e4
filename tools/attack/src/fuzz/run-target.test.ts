import { Blip2Error } from '@blip2/interfaces';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { attackCommand } from './fuzz-command.ts';
import { runTarget } from './run-target.ts';
import { defineTarget } from './target.ts';

const sound = defineTarget<number>({
  name: 'sound',
  promise: 'Odd numbers are refused.',
  open: () => ({
    cases: fc.nat(100),
    run: (value) => {
      if (value % 2 === 1) throw new Blip2Error('INVALID_ARGUMENT', 'odd');
    },
  }),
});
const broken = defineTarget<number>({
  name: 'broken',
  promise: 'Large numbers are refused with a code.',
  open: () => ({
    cases: fc.nat(100),
    run: (value) => {
      if (value > 10) throw new TypeError('too large');
    },
  }),
});

test('counts outcomes by code', async () => {
  const { outcomes, broken } = await runTarget(sound, { cases: 200, seed: 3 });
  expect(broken).toBeUndefined();
  expect(Object.keys(outcomes).toSorted()).toEqual(['INVALID_ARGUMENT', 'accepted']);
  expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(200);
});

test('reports the smallest case that throws something without a code', async () => {
  const result = await runTarget(broken, { cases: 200, seed: 3 });
  expect(result.broken).toMatch(/^11\nError: Property failed|^11\n.*too large/s);
});

test('the command fails if a promise is broken, and if nothing was run', async () => {
  const lines: string[] = [];
  const output = { print: (line: string) => lines.push(line), complain: () => undefined };
  expect(await attackCommand(['--cases', '50'], output, [sound])).toBe(0);
  expect(await attackCommand(['--cases', '200'], output, [sound, broken])).toBe(1);
  expect(await attackCommand(['--only', 'nothing'], output, [sound])).toBe(1);
  expect(await attackCommand(['--cases', '0'], output, [sound])).toBe(2);
  expect(lines.at(-1)).toBe('0 of 0 targets held');
});

test('counts memory that is kept, and not what a case takes for a while', async () => {
  const grown = async (keep: boolean): Promise<number> => {
    const kept: Buffer[] = [];
    let calls = 0;
    const target = defineTarget<number>({
      name: 'memory',
      promise: '',
      open: () => ({
        cases: fc.nat(1),
        run: () => {
          const bytes = Buffer.alloc(2 ** 20, ++calls);
          if (keep) kept.push(bytes);
        },
      }),
    });
    return (await runTarget(target, { cases: 200, seed: 1 })).grownMiB;
  };
  expect(await grown(true)).toBeGreaterThan(60);
  expect(await grown(false)).toBeLessThan(60);
});
