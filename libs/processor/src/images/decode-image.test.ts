import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';

import type { ImageSource, RgbImage } from '@blip2/interfaces';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { decodeImage } from './decode-image.ts';
import { encodePng } from './encode-png.ts';

const rgb: RgbImage = {
  type: 'uint8',
  dims: [2, 3, 3],
  data: Uint8Array.from({ length: 18 }, (_, index) => index * 14),
};
const folder = await mkdtemp(join(tmpdir(), 'decode-'));
const png = await encodePng(rgb);
const pngFile = join(folder, 'image with spaces é.png');

beforeAll(() => writeFile(pngFile, png));
afterAll(() => rm(folder, { recursive: true }));

describe('every kind of source gives the same values', () => {
  const { data } = rgb;
  const sources: readonly (readonly [string, ImageSource])[] = [
    ['path', pngFile],
    ['file URL', pathToFileURL(pngFile)],
    ['file URL as text', pathToFileURL(pngFile).href],
    ['Buffer', Buffer.from(png)],
    ['a view into a larger array', Uint8Array.from([0, 1, ...png, 2]).subarray(2, 2 + png.length)],
    ['ArrayBuffer', Uint8Array.from(png).buffer],
    ['Blob', new Blob([Uint8Array.from(png)])],
    ['data URL', new URL(`data:image/png;base64,${Buffer.from(png).toString('base64')}`)],
    ['data URL as text', `data:image/png;base64,${Buffer.from(png).toString('base64')}`],
    ['sharp instance', sharp(png)],
    ['raw RGB', { data, width: 3, height: 2, channels: 3 }],
    [
      'raw RGBA',
      {
        data: Uint8ClampedArray.from({ length: 24 }, (_, at) =>
          at % 4 === 3 ? 17 : (data[(at >> 2) * 3 + (at % 4)] ?? 0),
        ),
        width: 3,
        height: 2,
        channels: 4,
      },
    ],
    ['decoded', rgb],
  ];
  test.each(sources)('%s', async (_, source) => {
    expect(await decodeImage(source)).toEqual(rgb);
  });
  test.runIf(process.platform === 'linux')('file URL of a path that is not UTF-8', async () => {
    await writeFile(Buffer.from(`${folder}/caf\xe9 %.png`, 'latin1'), png);
    const url = `file://${folder}/caf%E9%20%25.png`;
    expect([await decodeImage(url), await decodeImage(new URL(url))]).toEqual([rgb, rgb]);
    await expect(decodeImage(`file://${folder}/caf%E8.png`)).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await expect(decodeImage('file:///%E9%00.png')).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await expect(decodeImage('file:///%E9%zz.png')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
  test('raw grey is repeated', async () => {
    const grey = await decodeImage({ data: Uint8Array.of(1, 2), width: 2, height: 1, channels: 1 });
    expect([...grey.data]).toEqual([1, 1, 1, 2, 2, 2]);
  });
});

describe('formats', () => {
  test.each(['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const)('%s', async (format) => {
    const { dims } = await decodeImage(await sharp(png).toFormat(format).toBuffer());
    expect(dims).toEqual([2, 3, 3]);
  });
  test('CMYK is converted like in Pillow, for every black value', async () => {
    const values = Uint8Array.of(10, 20, 30, 200, 0, 255);
    const cmyk = await sharp(values, { raw: { width: 2, height: 1, channels: 3 } })
      .toColourspace('cmyk')
      .tiff({ compression: 'none' })
      .toBuffer();
    const { data: inks, info } = await sharp(cmyk)
      .pipelineColourspace('cmyk')
      .toColourspace('cmyk')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const expected = [0, 1].flatMap((pixel) =>
      [0, 1, 2].map((ink) =>
        Math.round(((255 - (inks[pixel * 4 + ink] ?? 0)) * (255 - (inks[pixel * 4 + 3] ?? 0))) / 255),
      ),
    );
    expect(info.channels).toBe(4);
    expect([...(await decodeImage(cmyk)).data]).toEqual(expected);
  });
  test('alpha is dropped, not blended', async () => {
    const clear = await sharp(Uint8Array.of(200, 100, 50, 0), { raw: { width: 1, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    expect([...(await decodeImage(clear)).data]).toEqual([200, 100, 50]);
  });
  test('EXIF orientation is applied only on request', async () => {
    const turned = await sharp(png).withMetadata({ orientation: 6 }).png().toBuffer();
    expect(await decodeImage(turned)).toEqual(rgb);
    const upright = await decodeImage(turned, { autoOrient: true });
    expect(upright.dims).toEqual([3, 2, 3]);
    // Orientation 6: the first row of the upright image is the first column, bottom to top.
    expect([...upright.data.subarray(0, 6)]).toEqual([...rgb.data.subarray(9, 12), ...rgb.data.subarray(0, 3)]);
  });
  test('the first frame of an animation is decoded', async () => {
    const frames = await sharp(Uint8Array.of(0, 0, 0, 255, 255, 255), {
      raw: { width: 1, height: 2, channels: 3, pageHeight: 1 },
    })
      .gif()
      .toBuffer();
    expect((await decodeImage(frames)).dims).toEqual([1, 1, 3]);
  });
});

describe('rejects', () => {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
  const cases: readonly (readonly [string, ImageSource, string, RegExp])[] = [
    ['no bytes', new Uint8Array(), 'INVALID_IMAGE', /empty/],
    ['a text', bytes('hello, no image'), 'INVALID_IMAGE', /got bytes of no known image format/],
    ['half a PNG', png.subarray(0, png.length - 30), 'INVALID_IMAGE', /PNG/],
    ['half a header', png.subarray(0, 12), 'INVALID_IMAGE', /PNG/],
    [
      'SVG',
      bytes('<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      'UNSUPPORTED_IMAGE',
      /must be JPEG, PNG, WebP, GIF, TIFF or AVIF, got SVG/,
    ],
    ['PDF', bytes('%PDF-1.7'), 'UNSUPPORTED_IMAGE', /PDF/],
    ['BMP', bytes('BM6\0\0\0'), 'UNSUPPORTED_IMAGE', /BMP/],
    ['HEIC', bytes('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), 'UNSUPPORTED_IMAGE', /HEIC/],
    ['compressed SVG', bytes('\x1f\x8b\x08'), 'UNSUPPORTED_IMAGE', /gzip/],
    ['libvips', bytes('\xb6\xa6\xf2\x08'), 'UNSUPPORTED_IMAGE', /libvips/],
    ['a path that does not exist', join(folder, 'none.png'), 'MISSING_FILE', /none\.png/],
    ['a folder', folder, 'INVALID_IMAGE', /folder/],
    ['a URL', 'https://example.com/a.png?token=secret', 'INVALID_ARGUMENT', /allowUrls/],
    ['another protocol', new URL('ftp://example.com/a.png'), 'INVALID_ARGUMENT', /ftp:/],
    ['a data URL without an image', 'data:image/png;base64,AAAA', 'INVALID_IMAGE', /\(data:image\/png,…\)/],
    ['a file URL of another host', 'file://server/share/a.png', 'INVALID_ARGUMENT', /local/],
    [
      'raw pixels that are too few',
      { data: new Uint8Array(5), width: 1, height: 2, channels: 3 },
      'INVALID_IMAGE',
      /expected 1 x 2 x 3 = 6, got 5/,
    ],
    [
      'raw pixels without width',
      { data: new Uint8Array(0), width: 0, height: 2, channels: 3 },
      'INVALID_IMAGE',
      /0 x 2/,
    ],
    ['a decoded image with the wrong shape', { ...rgb, dims: [3, 3, 3] }, 'INVALID_IMAGE', /27/],
  ];
  test.each(cases)('%s', async (_, source, code, message) => {
    await expect(decodeImage(source)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
  test('URLs without showing their query', async () => {
    await expect(decodeImage('https://example.com/a.png?token=secret')).rejects.not.toThrow(/secret/);
  });
  test('a named pipe, without waiting for a writer', async () => {
    const pipe = join(folder, 'pipe.png');
    execFileSync('mkfifo', [pipe]);
    await expect(decodeImage(pipe)).rejects.toMatchObject({
      code: 'INVALID_IMAGE',
      message: expect.stringContaining('regular file'),
    });
  });
  test('values that are not images', async () => {
    for (const nothing of [null, undefined, 5, {}])
      await expect(decodeImage(nothing as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
  test('aborted calls, with an AbortError', async () => {
    await expect(decodeImage(png, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('limits', () => {
  test('the number of pixels is checked before decoding', async () => {
    await expect(decodeImage(pngHeader(20_000, 20_000))).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      // The command has no option for the limit.
      message: expect.stringMatching(/178956970.*Scale the image down$/),
    });
    await expect(decodeImage(pngHeader(2 ** 31 - 1, 2 ** 31 - 1))).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
  });
  test('sides that libvips does not have are refused before it warns about them', async () => {
    for (const [width, height] of [
      [20_000_000, 1],
      [1, 20_000_000],
    ] as const)
      await expect(decodeImage(pngHeader(width, height))).rejects.toMatchObject({
        code: 'IMAGE_TOO_LARGE',
        message: expect.stringMatching(/sides of at most 10000000, got \d+ x \d+/),
      });
  });
  test('maxPixels applies to every kind of source', async () => {
    for (const source of [png, pngFile, rgb, sharp(png)]) {
      const message = expect.stringMatching(/raise maxPixels$/);
      await expect(decodeImage(source, { maxPixels: 5 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE', message });
      expect((await decodeImage(source, { maxPixels: 6 })).dims).toEqual([2, 3, 3]);
    }
  });
});

test('encodePng is lossless, and rejects data that does not match the dimensions', async () => {
  expect(await decodeImage(await encodePng(rgb))).toEqual(rgb);
  await expect(encodePng({ ...rgb, dims: [1, 3, 3] })).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
});

test('damaged files give an image of the declared size or a documented error', async () => {
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const noise = sharp(
    Uint8Array.from({ length: 24 * 20 * 3 }, () => random(256)),
    { raw: { width: 24, height: 20, channels: 3 } },
  );
  const outcomes = new Map<unknown, number>();
  for (const format of ['png', 'jpeg', 'webp', 'gif', 'tiff'] as const) {
    const intact = await noise.clone().toFormat(format).toBuffer();
    for (let round = 0; round < 30; round++) {
      const damaged = Uint8Array.from(intact);
      for (let change = 0; change <= random(6); change++)
        damaged[random(random(2) === 0 ? 64 : damaged.length)] = random(256);
      const outcome = await decodeImage(damaged, { maxPixels: 1e7 }).then(
        ({ data, dims }) => data.length === dims[0] * dims[1] * 3,
        (error: { code?: unknown }) => error.code,
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }
  expect(['INVALID_IMAGE', 'IMAGE_TOO_LARGE', 'UNSUPPORTED_IMAGE', true]).toEqual(
    expect.arrayContaining([...outcomes.keys()]),
  );
  expect(outcomes.get(true)).toBeGreaterThan(0);
  expect(outcomes.get('INVALID_IMAGE')).toBeGreaterThan(0);
});

/** A PNG header with the given size, without the pixel data. */
function pngHeader(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(content.length, 0);
  frame.set(body, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}
