import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

test('docs/errors.md has a section for each error code, and for nothing else', () => {
  const union =
    readFileSync(join(root, 'libs/interfaces/src/errors.ts'), 'utf8').match(/type ErrorCode =(.*?);/s)?.[1] ?? '';
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code);
  const sections = [...readFileSync(join(root, 'docs/errors.md'), 'utf8').matchAll(/^## `([A-Z_]+)`$/gm)].map(
    ([, code]) => code,
  );
  expect(codes.length).toBeGreaterThan(10);
  expect(sections.toSorted()).toEqual(codes.toSorted());
});
