import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { createCaseModels } from './case-models.ts';
import { readCheckpointFamily } from './checkpoint-family.ts';
import { readExpectedSkips } from './expected-skips.ts';
import { findGoldenCases, readGoldenCase } from './golden-case.ts';
import { entryKinds } from './kinds/entry-kinds.ts';
import { reasonToSkip } from './not-yet.ts';
import { runEntry } from './run-entry.ts';

const root = join(import.meta.dirname, '..');
const expectedSkips = await readExpectedSkips(join(root, 'expected-skips.txt'));

for (const folder of await findGoldenCases(join(root, 'cases'))) {
  const golden = await readGoldenCase(folder);
  const family = await readCheckpointFamily(golden.checkpoint);
  const runnable = golden.entries.filter((entry) => reasonToSkip(entry, family) === undefined);

  describe(golden.name, { timeout: 60_000 }, () => {
    const models = createCaseModels(golden.checkpoint);
    afterAll(() => models[Symbol.asyncDispose]());

    test.each(runnable.map((entry) => [entry.name, entry] as const))('%s', async (_, entry) => {
      const result = await runEntry(golden, models, entry, entryKinds);
      expect(result.reason).toBeUndefined();
      expect(result.status).toBe('passed');
      expect(result.elements).toBeGreaterThan(0);
    });

    test('cannot run exactly what the list of expected skips names', () => {
      const unlisted = golden.entries.filter(({ name }) => !expectedSkips.has({ case: golden.name, name }));
      expect(runnable.map(({ name }) => name)).toEqual(unlisted.map(({ name }) => name));
    });
  });
}
