import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { decodeImage } from '../images/decode-image.ts';
import { readPillowFiles } from '../images/fixtures/pillow-file.ts';
import { parseGifFrame } from './gif-frame.ts';

const files = readPillowFiles('pillow-gif.json');

test.each(files)('a GIF equals Pillow: $what', async ({ bytes, expected }) => {
  expect(await decodeImage(bytes)).toEqual(expected);
});

const rejected: Record<string, string> = JSON.parse(
  readFileSync(join(import.meta.dirname, '../images/fixtures/rejected-gif.json'), 'utf8'),
);

test.each(Object.entries(rejected))('a damaged GIF is refused, as in Pillow: %s', async (what, file) => {
  await expect(decodeImage(Buffer.from(file, 'base64'))).rejects.toMatchObject({
    code: expect.stringMatching(what.includes('Bomb') ? 'IMAGE_TOO_LARGE' : /^(INVALID|UNSUPPORTED)_IMAGE$/) as string,
  });
});

test('a file that ends in its first frame has none', () => {
  const bytes = files[0]?.bytes ?? Buffer.alloc(0);
  const start = bytes.indexOf(',');
  for (let length = 6; length < start + 11; length++) expect(parseGifFrame(bytes.subarray(0, length))).toBeUndefined();
  expect(parseGifFrame(bytes.subarray(0, start + 11))).toBeDefined();
});

test('a file that is too small for its pixels is refused before memory is taken for them', async () => {
  const bytes = Buffer.from('GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\0\x20\0\x20\0\x02\x02D\x01\0;', 'latin1');
  const before = process.memoryUsage().arrayBuffers;
  await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
});
