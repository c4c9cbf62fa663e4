import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

test('sharp is imported on first use only: no file imports it as a value', () => {
  const root = join(import.meta.dirname, '..');
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.includes('fixtures'),
  );
  const text = new Map(sources.map((name) => [name, readFileSync(join(root, name), 'utf8')]));
  const eager = sources.filter((name) => /^(?:import|export) (?!type\b).*from 'sharp'/m.test(text.get(name) ?? ''));
  const lazy = sources.filter((name) => text.get(name)?.includes("import('sharp')"));
  expect(sources.length).toBeGreaterThan(20);
  expect(eager).toEqual([]);
  expect(lazy.map((name) => name.replaceAll('\\', '/'))).toEqual(['images/load-sharp.ts']);
});
