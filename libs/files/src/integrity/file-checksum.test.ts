import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { checksumOf, fileChecksum } from './file-checksum.ts';
import { fileVersion, requireVersions } from './file-version.ts';

let folder = '';
let file = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-checksum-'));
  file = join(folder, 'x');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('fileChecksum', () => {
  test.each([0, 9, 2 ** 20, 2 ** 20 + 1, 3 * 2 ** 20 + 5])('is the CRC-32 of %d bytes', async (length) => {
    const bytes = Uint8Array.from({ length }, (_, index) => index % 251);
    await writeFile(file, bytes);
    await using handle = await open(file);
    expect(Number.parseInt(await fileChecksum(handle), 16)).toBe(crc32(bytes));
    expect(await fileChecksum(handle, { begin: 3, end: length - 2 })).toBe(
      checksumOf(bytes.subarray(3, Math.max(3, length - 2))),
    );
  });

  test('has 8 digits, and stops with its signal', async () => {
    expect(checksumOf(Buffer.from('123456789'))).toBe('cbf43926');
    await writeFile(file, 'x');
    await using handle = await open(file);
    await expect(fileChecksum(handle, { signal: AbortSignal.abort('stop') })).rejects.toBe('stop');
  });
});

test('requireVersions names a file that was written to, replaced or deleted', async () => {
  await writeFile(file, 'one');
  const version = (await fileVersion(file)) ?? '';
  await requireVersions([{ file, version }]);
  await writeFile(file, 'longer');
  await expect(requireVersions([{ file, version }])).rejects.toMatchObject({
    code: 'MODEL_CHANGED',
    details: { where: file, got: 'another version', fix: 'Load the model again' },
  });
  await rm(file);
  await expect(requireVersions([{ file, version }])).rejects.toMatchObject({ details: { got: 'no file' } });
});
