import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { onTestFinished } from 'vitest';

/** A folder with these files, removed after the test. Returns the path of a name inside it. */
export async function temporaryFolder(
  files: Readonly<Record<string, string>> = {},
): Promise<(name?: string) => string> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-cli-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return (name = '') => join(folder, name);
}
