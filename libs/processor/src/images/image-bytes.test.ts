import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { decodeImage } from './decode-image.ts';
import { type FileRules, readToEnd } from './image-bytes.ts';

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-bytes-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of any length that repeats its first bytes and counts what is read. */
function endlessFile(start: Uint8Array, length = Number.POSITIVE_INFINITY) {
  const file = {
    bytesRead: 0,
    async read<T extends NodeJS.ArrayBufferView>(buffer: T, offset = 0, wanted = 0, position = 0) {
      const bytesRead = Math.min(wanted, length - position);
      for (let at = 0; at < Math.min(bytesRead, start.length); at++)
        new DataView(buffer.buffer, buffer.byteOffset).setUint8(offset + at, start[at] ?? 0);
      file.bytesRead += bytesRead;
      return { bytesRead, buffer };
    },
  };
  return file as typeof file & Parameters<typeof readToEnd>[0];
}

describe('a file whose size is reported as 0', () => {
  const rules: FileRules = { size: 0, where: 'x', signal: undefined, maxBytes: 300_000 };

  test('is read to its end', async () => {
    for (const length of [8, 65_535, 65_536, 65_537, 131_073, 300_000])
      expect(await readToEnd(endlessFile(SIGNATURE, length), rules)).toHaveLength(length);
  });
  test('is not read beyond the limit', async () => {
    const file = endlessFile(SIGNATURE);
    await expect(readToEnd(file, rules)).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    expect(file.bytesRead).toBe(300_001);
  });
  test('is not read beyond its first bytes if it is no image', async () => {
    const file = endlessFile(Buffer.from('root:x:0:0'));
    await expect(readToEnd(file, rules)).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
    expect(file.bytesRead).toBe(65_536);
  });
  test('is not read after an abort', async () => {
    const controller = new AbortController();
    const file = endlessFile(SIGNATURE);
    const reading = readToEnd(file, { ...rules, signal: controller.signal });
    controller.abort();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    expect(file.bytesRead).toBe(65_536);
  });
});

test('a file that grows while it is read is read to its end', async () => {
  const path = join(folder, 'grows');
  await writeFile(path, SIGNATURE);
  await appendFile(path, Buffer.alloc(100_000));
  const { size } = { size: 8 };
  const { open } = await import('node:fs/promises');
  const handle = await open(path);
  try {
    const rules = { size, where: path, signal: undefined, maxBytes: 200_000 };
    expect(await readToEnd(handle, rules)).toHaveLength(100_008);
  } finally {
    await handle.close();
  }
});

describe.runIf(existsSync('/proc/self/mem'))('files of the kernel', () => {
  test('that cannot be read are MISSING_FILE, with the code of the system', async () => {
    const error = { code: 'MISSING_FILE', message: 'The image file cannot be read (/proc/self/mem): got EIO' };
    await expect(decodeImage('/proc/self/mem')).rejects.toMatchObject(error);
  });
  test.each(['/proc/self/pagemap', '/proc/self/environ', '/proc/self/maps'])('%s is no image', async (path) => {
    const message = expect.stringMatching(/got bytes of no known image format \(\/proc\/self\/\w+\)$/);
    await expect(decodeImage(path)).rejects.toMatchObject({ code: 'INVALID_IMAGE', message });
  });
});

test('a long text that is no path is shortened in the message', async () => {
  const message = expect.stringMatching(/^[^]{0,700}$/);
  await expect(decodeImage('A'.repeat(100_000))).rejects.toMatchObject({ code: 'MISSING_FILE', message });
});
