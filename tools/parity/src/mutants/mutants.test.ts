import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';

import { type GoldenCase, readGoldenCase } from '../golden-case.ts';
import { mutantsCommand } from './mutants-command.ts';
import type { Mutation } from './mutation.ts';
import { mutations } from './mutations.ts';
import { runMutation, soundEntries } from './run-mutation.ts';

async function run(
  args: string[],
  list?: readonly Mutation[],
): Promise<{ code: number; out: string[]; err: string[] }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await mutantsCommand(
    args,
    { print: (line) => out.push(line), complain: (line) => err.push(line) },
    list,
  );
  return { code, out, err };
}

describe('mutants', () => {
  test('have unique names', () => {
    const names = mutations.map((mutation) => `${mutation.case} ${mutation.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  describe('one of each kind is detected', { timeout: 60_000 }, () => {
    let golden: GoldenCase;
    let sound: ReadonlySet<string>;
    beforeAll(async () => {
      golden = await readGoldenCase(join(import.meta.dirname, '../../cases/opt'));
      sound = await soundEntries(golden);
    });

    // `npm run mutants` runs all of them.
    test.each([
      ['in the configuration', 'vision: epsilon 1e-5 instead of 1e-6', 6],
      ['in tensors', 'language_projection: no bias', 1e3],
      ['in the graph', 'vision: pooler normed once instead of twice', 1e3],
      ['in the inputs of a session', 'opt: positions ignore padding', 1e3],
      ['in the call', 'image: bilinear', 1e3],
      ['in the result', 'image: bicubic without rounding to 8 bits', 1e3],
    ])('%s: %s', async (_, name, ratio) => {
      const mutation = mutations.find((each) => each.name === name);
      if (!mutation) return expect.fail(`no mutation is called ${name}`);
      const result = await runMutation(golden, mutation, sound);
      expect(result.broken).toBeGreaterThan(0);
      expect(result.largestRatio).toBeGreaterThan(ratio * 0.9);
      expect(result.threw).toEqual([]);
    });
  });

  test('a mutation that no entry detects is a failure', async () => {
    const { code, err } = await run([], [{ name: 'nothing at all', case: 'logits', reaches: ['logits_processor'] }]);
    expect(err).toEqual(['nothing at all: no entry notices it']);
    expect(code).toBe(1);
  });

  test('an exception does not count as detection', async () => {
    const broken: Mutation = {
      name: 'cannot run',
      case: 'logits',
      reaches: ['logits_processor'],
      call: (call) => ({ ...call, options: {} }),
    };
    const { code, err } = await run([], [broken]);
    expect(code).toBe(1);
    expect(err[0]).toMatch(/^cannot run: an exception instead of a wrong result in temperature\/scores/);
  });

  test('rejects unknown arguments', async () => {
    expect((await run(['--fast'])).code).toBe(2);
  });
});
