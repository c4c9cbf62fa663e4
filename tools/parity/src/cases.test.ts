import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { createCaseModels } from './case-models.ts';
import { findGoldenCases, readGoldenCase } from './golden-case.ts';
import { entryKinds } from './kinds/entry-kinds.ts';
import { runEntry } from './run-entry.ts';

for (const folder of await findGoldenCases(join(import.meta.dirname, '../cases'))) {
  const golden = await readGoldenCase(folder);

  describe(golden.name, { timeout: 60_000 }, () => {
    const models = createCaseModels(golden.checkpoint);
    afterAll(() => models[Symbol.asyncDispose]());

    test.each(golden.entries.map((entry) => [entry.name, entry] as const))('%s', async (_, entry) => {
      const result = await runEntry(golden, models, entry, entryKinds);
      expect(result.reason).toBeUndefined();
      expect(result.status).toBe('passed');
      expect(result.elements).toBeGreaterThan(0);
    });
  });
}
