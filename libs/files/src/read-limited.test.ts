import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { readLimited } from './read-limited.ts';

const folder = await mkdtemp(join(tmpdir(), 'read-limited-'));
afterAll(() => rm(folder, { recursive: true }));
const refused = { code: 'INVALID_CONFIG' } as const;

describe('readLimited', () => {
  test('reads a file up to the limit, also an empty one', async () => {
    const file = join(folder, 'file');
    for (const size of [0, 1, 100_000]) {
      const bytes = new Uint8Array(size).fill(7);
      await writeFile(file, bytes);
      expect(new Uint8Array(await readLimited(file, size, refused))).toEqual(bytes);
    }
  });
  test('refuses a larger file with the given code', async () => {
    await writeFile(join(folder, 'file'), '123456');
    await expect(readLimited(join(folder, 'file'), 5, refused)).rejects.toMatchObject({
      code: 'INVALID_CONFIG',
      message: expect.stringContaining('too large'),
      details: { expected: 'at most 5 bytes', got: '6', where: join(folder, 'file') },
    });
  });
  test.runIf(process.platform === 'linux')('limits files that report no size', async () => {
    expect((await readLimited('/proc/self/status', 100_000, refused)).byteLength).toBeGreaterThan(0);
    await expect(readLimited('/proc/self/status', 100, refused)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
  });
  test.runIf(process.platform !== 'win32')('refuses folders, pipes and devices without waiting for them', async () => {
    await mkdir(join(folder, 'inner'));
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    for (const file of [join(folder, 'inner'), join(folder, 'pipe'), '/dev/zero'])
      await expect(readLimited(file, 10, refused)).rejects.toMatchObject({
        code: 'INVALID_CONFIG',
        message: expect.stringContaining('not a regular file'),
      });
  });
  test('does not follow a link that took the place of the checked file', async () => {
    await writeFile(join(folder, 'secret'), 'secret');
    await symlink('secret', join(folder, 'link'));
    await expect(readLimited(join(folder, 'link'), 10, refused)).rejects.toMatchObject({ code: 'MISSING_FILE' });
  });
  test.runIf(process.platform === 'linux')('reports failures of the system as MISSING_FILE', async () => {
    await expect(readLimited('/proc/self/mem', 10, refused)).rejects.toMatchObject({
      code: 'MISSING_FILE',
      details: { got: 'EIO' },
    });
    await expect(readLimited(join(folder, 'none'), 10, refused)).rejects.toMatchObject({ code: 'MISSING_FILE' });
  });
});
