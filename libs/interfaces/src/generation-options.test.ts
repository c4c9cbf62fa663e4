import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { generationOptions } from './generation-option-table.ts';

test('the doc comment of every option is its description in the table', () => {
  const source = readFileSync(new URL('generation-options.ts', import.meta.url), 'utf8');
  const members = [...source.matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s*readonly (\w+)\?:/gs)].map(([, comment, name]) => [
    name,
    comment?.replace(/\s*\n\s*\*?\s*/g, ' ').trim(),
  ]);
  expect(Object.fromEntries(members)).toEqual(
    Object.fromEntries(Object.entries(generationOptions).map(([name, { description }]) => [name, description])),
  );
});
