import { describe, expect, test } from 'vitest';

import { decodeImage } from '../images/decode-image.ts';
import { readPillowFiles } from '../images/fixtures/pillow-file.ts';
import { parseGifFrame } from './gif-frame.ts';

const files = readPillowFiles('pillow-gif.json');

test.each(files)('a GIF equals Pillow: $what', async ({ bytes, expected }) => {
  expect(await decodeImage(bytes)).toEqual(expected);
});

describe('a GIF without a colour table', () => {
  const bytes = Buffer.from('GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;', 'latin1');
  test('is rejected, as the decoder loses its indices', async () => {
    const message = 'The GIF image has no colour table (image bytes). Convert it to PNG';
    await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'UNSUPPORTED_IMAGE', message });
  });
  test('has no background', () => {
    expect(parseGifFrame(bytes)).toEqual({ left: 0, top: 0, right: 1, bottom: 1, background: undefined });
  });
});

test('a file that ends before its first frame has none', () => {
  const bytes = files[0]?.bytes ?? Buffer.alloc(0);
  const start = bytes.indexOf(',');
  for (let length = 6; length < start + 10; length++) expect(parseGifFrame(bytes.subarray(0, length))).toBeUndefined();
  expect(parseGifFrame(bytes.subarray(0, start + 10))).toBeDefined();
});
