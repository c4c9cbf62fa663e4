import { crc32 } from 'node:zlib';

import sharp from 'sharp';
import { describe, expect, test } from 'vitest';

import { decodeImage } from '../images/decode-image.ts';
import { imageFormat } from './image-format.ts';

/** The first bytes of files written by other programs, as latin1. */
const FILES: readonly (readonly [name: string, head: string])[] = [
  ['BMP', 'BM\x36\0\0\0\0\0\0\0'],
  ['BMP without its file header (DIB)', '\x28\0\0\0\x21\0\0\0\x28\0\0\0\x01\0\x18\0\0\0'],
  ['PDF', '%PDF-1.7'],
  ['PostScript (EPS)', '%!PS-Adobe-3.0 EPSF-3.0'],
  ['PostScript (EPS)', '\xc5\xd0\xd3\xc6\x1e\0\0\0'],
  ['ICO', '\0\0\x01\0\x01\0\x10\x10'],
  ['CUR', '\0\0\x02\0\x01\0\x20\x20'],
  ['ICNS', 'icns\0\0\x01\0'],
  ['PSD', '8BPS\0\x01'],
  ['JPEG XL', '\xff\x0a\x7a\x1f'],
  ['JPEG XL', '\0\0\0\x0cJXL \x0d\x0a\x87\x0a'],
  ['JPEG 2000', '\0\0\0\x0cjP  \x0d\x0a\x87\x0a'],
  ['JPEG 2000', '\xff\x4f\xff\x51\0\x2f'],
  ['JPEG-LS', '\xff\xd8\xff\xf7\0\x0b'],
  ['DDS', 'DDS \x7c\0\0\0'],
  ['QOI', 'qoif\0\0\0\x21\0\0\0\x28\x03\0'],
  ['SGI', '\x01\xda\0\x01\0\x03\0\x21'],
  ['PCX', '\x0a\x05\x01\x08\0\0\0\0'],
  ['PNM', 'P6\n33 40\n255\n'],
  ['PNM', 'Pf 33 40 -1.0 '],
  ['TGA', '\0\0\x02\0\0\0\0\0\0\0\0\0\x21\0\x28\0\x18\0'],
  ['TGA', '\0\0\x0a\0\0\0\0\0\0\0\0\0\x21\0\x28\0\x20\x08'],
  ['TGA', '\0\0\x03\0\0\0\0\0\0\0\0\0\x21\0\x28\0\x08\x20'],
  ['TGA', '\x1a\x01\x01\0\0\0\x01\x18\0\0\0\0\x21\0\x28\0\x08\0'],
  ['XPM', '/* XPM */\nstatic'],
  ['XBM', '#define a_width 8\n'],
  ['OpenEXR', '\x76\x2f\x31\x01\x02\0'],
  ['a raw photograph', 'IIU\0\x18\0\0\0'],
  ['HEIC or other ISO media', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
  ['AVI video', 'RIFF\0\0\0\0AVI LIST'],
];

test.each(FILES)('%s is named: %j', (name, head) => {
  const expected = 'image must be JPEG, PNG, WebP, GIF, TIFF or AVIF';
  const message = `${expected}, got ${name} (x). Convert it to one of these formats`;
  const error = { code: 'UNSUPPORTED_IMAGE', message };
  expect(() => imageFormat(Buffer.from(head, 'latin1'), 'x')).toThrow(expect.objectContaining(error));
});

test.each([256, 512])('an ftyp box of %i bytes is not taken for ICO or CUR', (size) => {
  const header = Buffer.from(`\0\0\0\0ftypavif\0\0\0\0${'miaf'.repeat((size - 16) / 4)}`, 'latin1');
  header.writeUInt32BE(size);
  expect(imageFormat(header, 'x')).toBe('AVIF');
});

describe('a PNG header', () => {
  test('with a wrong checksum is rejected, as in Pillow', async () => {
    const bytes = await sharp({ create: { width: 5, height: 4, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    expect(crc32(bytes.subarray(12, 29))).toBe(bytes.readUInt32BE(29));
    bytes.writeUInt32BE(0, 29);
    const message = 'The PNG image cannot be decoded (image bytes): got a header with a wrong checksum';
    await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'INVALID_IMAGE', message });
  });
});
