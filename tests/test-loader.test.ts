import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

test('the loader of test programs compiles `using` for the oldest supported Node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blip2 loader '));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const source = join(folder, 'source.ts');
  writeFileSync(
    source,
    `function run(): void {
  using held: Disposable = { [Symbol.dispose]: () => console.log('disposed') };
  console.log('held', typeof held);
}
run();
`,
  );
  const loader = join(import.meta.dirname, '../tools/testing/test-loader.mjs');
  expect(execFileSync(process.execPath, ['--import', loader, source], { encoding: 'utf8' })).toBe(
    'held object\ndisposed\n',
  );
});
