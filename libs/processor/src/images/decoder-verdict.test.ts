import { beforeEach, describe, expect, test, vi } from 'vitest';

import { decodeImage } from './decode-image.ts';
import { SVG_FILES } from './fixtures/svg-files.ts';
import { loadSharp } from './load-sharp.ts';

/** A mock decoder that detects every file as `loader` and fails if pixels are requested. */
const decoder = { loader: '', toBuffer: vi.fn(() => Promise.reject(new Error('decoded'))) };
vi.mock('./load-sharp.ts', () => {
  const image = {
    metadata: () => Promise.resolve({ width: 3, height: 2, space: 'srgb', format: decoder.loader }),
    clone: () => image,
    removeAlpha: () => image,
    toColourspace: () => image,
    raw: () => image,
    toBuffer: () => decoder.toBuffer(),
  };
  return { loadSharp: vi.fn(() => Promise.resolve(() => image)) };
});

beforeEach(() => void vi.clearAllMocks());

const signatures = [
  ['JPEG', '\xff\xd8\xff\xe0', 'jpeg'],
  ['PNG', '\x89PNG\r\n\x1a\n', 'png'],
  ['WebP', 'RIFF\0\0\0\0WEBP', 'webp'],
  ['TIFF', `II*\0\x08\0\0\0\x01\0${'\0'.repeat(12)}`, 'tiff'],
  ['AVIF', '\0\0\0\x10ftypavif\0\0\0\0', 'heif'],
] as const;

describe.each(signatures)('a file with the signature of %s', (format, signature, own) => {
  const bytes = Buffer.from(signature, 'latin1');

  const others = [...signatures.map(([, , loader]) => loader), 'gif'].filter((loader) => loader !== own);
  const loaders = ['svg', 'pdf', 'magick', 'unknown', ...others];
  test.each(loaders)('is not decoded if the decoder detects it as %s', async (loader) => {
    decoder.loader = loader;
    const got = `got a file with the signature of ${format} that the decoder detects as ${loader} (image bytes)`;
    const message = expect.stringContaining(`image must be JPEG, PNG, WebP, GIF, TIFF or AVIF, ${got}`);
    await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'UNSUPPORTED_IMAGE', message });
    expect(decoder.toBuffer).not.toHaveBeenCalled();
  });

  test('is decoded if the decoder detects the same format', async () => {
    decoder.loader = own;
    const message = expect.stringContaining('got decoded');
    await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'INVALID_IMAGE', message });
    expect(decoder.toBuffer).toHaveBeenCalledTimes(1);
  });
});

test('a file with the signature of GIF reaches no decoder', async () => {
  const code = 'INVALID_IMAGE';
  await expect(decodeImage(Buffer.from('GIF89a<svg/>', 'latin1'))).rejects.toMatchObject({ code });
  expect(loadSharp).not.toHaveBeenCalled();
});

test.each(SVG_FILES)('SVG as %s is rejected before the decoder is loaded', async (_what, bytes) => {
  await expect(decodeImage(bytes)).rejects.toMatchObject({ code: 'UNSUPPORTED_IMAGE' });
  expect(loadSharp).not.toHaveBeenCalled();
});

describe('an error of the decoder', () => {
  const jpeg = Buffer.from('\xff\xd8\xff\xe0', 'latin1');
  beforeEach(() => void (decoder.loader = 'jpeg'));

  test('is its last line: the first ones may be warnings', async () => {
    const reason = 'VipsJpeg: 16 extraneous bytes before marker 0xe0\nVipsJpeg: found marker 0xc4 instead of RST7\n \n';
    decoder.toBuffer.mockRejectedValueOnce(new Error(reason));
    const got = 'VipsJpeg: found marker 0xc4 instead of RST7';
    await expect(decodeImage(jpeg)).rejects.toMatchObject({ code: 'INVALID_IMAGE', details: { got } });
  });
  test.each([
    'VipsJpeg: Unsupported JPEG process: SOF type 0xcb',
    'tiff2vips: tiled separate planes not supported',
    'heif: Unsupported feature: Unsupported codec (4.3000)',
    'tiff2vips: Compression scheme 34712 strip decoding is not implemented',
  ])('about a valid file is UNSUPPORTED_IMAGE: %s', async (reason) => {
    decoder.toBuffer.mockRejectedValueOnce(new Error(reason));
    await expect(decodeImage(jpeg)).rejects.toMatchObject({ code: 'UNSUPPORTED_IMAGE', details: { got: reason } });
  });
  test('about a file that no decoder recognises is INVALID_IMAGE', async () => {
    decoder.toBuffer.mockRejectedValueOnce(new Error('Input buffer contains unsupported image format'));
    await expect(decodeImage(jpeg)).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
  });
});
