import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { promiseProblem, readPromises } from './promise.ts';
import { RELIABILITY_DOCUMENT } from './reliability-command.ts';
import { readReliabilityData, withTables } from './reliability-report.ts';

const root = join(import.meta.dirname, '../../../..');

test('every promise names a test that exists', async () => {
  const promises = (await readPromises()).flatMap((area) => area.promises);
  const problems = await Promise.all(promises.map((promise) => promiseProblem(root, promise)));
  expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  expect(promises.length).toBeGreaterThan(100);
});

test('a test that does not exist is named', async () => {
  const [area] = await readPromises();
  const [first] = area?.promises ?? [];
  if (!first) throw new TypeError('there are no promises');
  expect(await promiseProblem(root, { ...first, title: 'no such title' })).toContain('has no test "no such title"');
  expect(await promiseProblem(root, { ...first, test: 'no.test.ts' })).toContain('no.test.ts does not exist');
});

test('the tables of docs/reliability.md are those of `npm run reliability`', async () => {
  const document = await readFile(RELIABILITY_DOCUMENT, 'utf8');
  expect(document).toBe(withTables(document, await readReliabilityData()));
});
