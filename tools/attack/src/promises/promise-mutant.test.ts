import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { mutantProblem, type PromiseMutant, readPromiseMutants } from './promise-mutant.ts';

const root = join(import.meta.dirname, '../../../..');

test('every mutant changes text that occurs once, and names a test', async () => {
  const mutants = await readPromiseMutants();
  const problems = await Promise.all(mutants.map((mutant) => mutantProblem(root, mutant)));
  expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});

test.each<[string, Partial<PromiseMutant>, string]>([
  ['a missing source file', { file: 'b.ts' }, 'm: b.ts does not exist'],
  ['a missing test file', { test: 'b.test.ts' }, 'm: b.test.ts does not exist'],
  ['text that is not found', { find: 'z' }, 'm: its text occurs 0 times in a.ts'],
  ['text that is found twice', { find: 'x' }, 'm: its text occurs 2 times in a.ts'],
  ['no change', { replace: 'if (y)' }, 'm: it changes nothing'],
])('%s is named', async (_, change, problem) => {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-mutant-'));
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'a.ts'), 'if (y) x(); x();');
    await writeFile(join(folder, 'a.test.ts'), '');
    const sound = { name: 'm', promise: '', file: 'a.ts', find: 'if (y)', replace: '', test: 'a.test.ts' };
    expect(await mutantProblem(folder, sound)).toBeUndefined();
    expect(await mutantProblem(folder, { ...sound, ...change })).toBe(problem);
  } finally {
    await rm(folder, { recursive: true });
  }
});
