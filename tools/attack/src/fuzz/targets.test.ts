import { expect, test } from 'vitest';

import { runTarget } from './run-target.ts';
import { targets } from './targets.ts';

/** `npm run attack` runs many more. */
const CASES = 400;

test.each(targets.map((target) => [target.name, target] as const))(
  '%s: every damaged input is refused with a code or read soundly',
  async (_, target) => {
    const { broken, outcomes } = await runTarget(target, { cases: CASES, seed: 1 });
    expect(broken).toBeUndefined();
    // Both happen, so the cases reach beyond the first check.
    expect(outcomes['accepted']).toBeGreaterThan(0);
    expect(Object.keys(outcomes).length).toBeGreaterThan(1);
  },
  120_000,
);
