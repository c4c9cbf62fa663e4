import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');
const cases = readdirSync(join(root, 'tools/parity/cases'), { withFileTypes: true })
  .filter((entry) => existsSync(join(entry.parentPath, entry.name, 'golden.json')))
  .map(({ name }) => name);

interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly cases: readonly { readonly case: string; readonly entries: number; readonly elements: number }[];
}
const summary: Summary = JSON.parse(read('tools/parity/results/summary.json'));

/** Absolute tolerances from here on are for 8-bit pixel values of lossy images, not for floats. */
const PIXEL_TOLERANCE = 1;

/** Rows of the parity table by case: entries, elements, smallest and largest absolute tolerance. */
function tableRows(): Map<string, { entries: number; elements: number; tolerances: number[] }> {
  const rows = read('docs/benchmarks.md').matchAll(
    /^\| `([\w.-]+)` \| [^|]+ \| (\d+) \| ([\d,]+) \| ([\de.-]+)(?: to ([\de.-]+))? \|$/gm,
  );
  return new Map(
    [...rows].map(([, name = '', entries, elements = '', least, most = least]) => [
      name,
      {
        entries: Number(entries),
        elements: Number(elements.replaceAll(',', '')),
        tolerances: [Number(least), Number(most)],
      },
    ]),
  );
}

test('the parity table has a row for each golden case, with the numbers of the case and of the run', () => {
  const expected = cases.map((name) => {
    const { entries }: { entries: readonly { tolerance: { atol: number } }[] } = JSON.parse(
      read('tools/parity/cases', name, 'golden.json'),
    );
    const tolerances = entries
      .map(({ tolerance }) => tolerance.atol)
      .filter((atol) => atol > 0 && atol < PIXEL_TOLERANCE);
    const elements = summary.cases.find((each) => each.case === name)?.elements;
    return [
      name,
      { entries: entries.length, elements, tolerances: [Math.min(...tolerances), Math.max(...tolerances)] },
    ] as const;
  });
  expect(tableRows()).toEqual(new Map(expected));
  expect(cases.length).toBeGreaterThan(10);
});

test('the summary covers all entries, and all of them passed', () => {
  expect(summary.cases.map((each) => each.case).toSorted()).toEqual(cases.toSorted());
  expect(summary.passed).toBe(summary.cases.reduce((sum, { entries }) => sum + entries, 0));
  expect([summary.failed, summary.skipped]).toEqual([0, 0]);
  for (const document of ['README.md', 'docs/benchmarks.md'])
    expect(read(document)).toContain(`All ${summary.passed} entries pass.`);
});
