import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import sharp from 'sharp';
import { describe, expect, test } from 'vitest';

import { tiffDirectory } from '../formats/tiff-header.ts';
import { decodeImage } from './decode-image.ts';
import { readPillowFiles } from './fixtures/pillow-file.ts';

const files = readPillowFiles('pillow-tiff.json');

test.each(files)('a TIFF equals Pillow, with and without autoOrient: $what', async ({ bytes, expected }) => {
  expect(await decodeImage(bytes)).toEqual(expected);
  expect(await decodeImage(bytes, { autoOrient: true })).toEqual(expected);
});

describe('a TIFF is rejected', () => {
  const rejected: { damaged: Record<string, string>; unsupported: Record<string, string> } = JSON.parse(
    readFileSync(join(import.meta.dirname, 'fixtures/rejected-tiff.json'), 'utf8'),
  );

  test.each(Object.entries(rejected.damaged))('that is damaged, as in Pillow: %s', async (_what, file) => {
    await expect(decodeImage(Buffer.from(file, 'base64'))).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
  });

  test.each(Object.entries(rejected.unsupported))('that the decoder does not support: %s', async (what, file) => {
    const message = `The TIFF image cannot be decoded, got ${what.split(' (')[0]} (image bytes). Convert it to PNG`;
    const error = { code: 'UNSUPPORTED_IMAGE', message };
    await expect(decodeImage(Buffer.from(file, 'base64'))).rejects.toMatchObject(error);
  });

  test.each([
    ['old-style JPEG compression', 259, 6],
    ['12 bits per sample', 258, 12],
    ['unknown (4711) compression', 259, 4711],
    ['JPEG XL compression', 259, 52546],
  ])('with a tag that the decoder does not support: %s', async (got, tag, value) => {
    const bytes = await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } })
      .toColourspace('b-w')
      .tiff({ compression: 'none' })
      .toBuffer();
    const { start = 0, count = 0, size = 0 } = tiffDirectory(bytes) ?? {};
    const entry = Array.from({ length: count }, (_, index) => start + index * size).find(
      (at) => bytes.readUInt16LE(at) === tag,
    );
    bytes.writeUInt16LE(value, (entry ?? 0) + 8);
    const message = expect.stringContaining(`got ${got} (`);
    await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'UNSUPPORTED_IMAGE', message });
  });
});
