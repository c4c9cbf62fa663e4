import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { stripComments } from './strip-comments.ts';

const DECLARATION = '/** Doubles. */\nexport declare const double: (x: number) => number;\n';

test('removes the comments of bundles, and nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blip2 strip '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ['bundle/deep', 'dist/deep']) mkdirSync(join(folder, name), { recursive: true });
  const module = join(folder, 'bundle/deep/double.js');
  const code =
    "/** Doubles. */\nexport const double = (x) => 2 * x; // twice\nexport const text = '// kept /* too */';\n";
  writeFileSync(module, `#!/usr/bin/env node\n//#region dist/deep/double.js\n${code}//#endregion\n`);
  writeFileSync(join(folder, 'dist/deep/double.d.ts'), DECLARATION);

  expect(stripComments(folder)).toEqual([join('deep', 'double.js')]);
  expect(readFileSync(module, 'utf8')).toBe(
    "#!/usr/bin/env node\nexport const double = (x) => 2 * x;\nexport const text = '// kept /* too */';\n",
  );
  expect(readFileSync(join(folder, 'dist/deep/double.d.ts'), 'utf8')).toBe(DECLARATION);
  expect(stripComments(folder)).toEqual([]);
});
