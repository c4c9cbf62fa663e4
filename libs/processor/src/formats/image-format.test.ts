import sharp, { type Sharp } from 'sharp';
import { describe, expect, test } from 'vitest';

import { parseFtypBox } from './ftyp-box.ts';
import { checkLoader, imageFormat } from './image-format.ts';

function isoMedia(size: number, majorBrand: string, compatibleBrands: string, total: number = size): Buffer {
  const header = Buffer.from(`\0\0\0\0ftyp${majorBrand}\0\0\0\0${compatibleBrands}`, 'latin1');
  header.writeUInt32BE(size, 0);
  return Buffer.concat([header, Buffer.alloc(4096)]).subarray(0, total);
}

function red(): Sharp {
  return sharp({ create: { width: 3, height: 2, channels: 3, background: 'red' } });
}

/** Whether one of libvips' loaders accepts the bytes, even if decoding fails later. */
async function isDetected(bytes: Buffer): Promise<boolean> {
  const reason = await sharp(bytes)
    .metadata()
    .then(
      () => '',
      (error: Error) => error.message,
    );
  return !reason.includes('unsupported image format');
}

describe('the ftyp box', () => {
  test.each([
    ['of 16 bytes', isoMedia(16, 'avif', '')],
    ['of 24 bytes', isoMedia(24, 'mif1', 'miafavif', 4096)],
    ['of 60 bytes, a size that is "<" in UTF-32', isoMedia(60, 'avif', 'avif'.repeat(11), 4096)],
    ['of 2048 bytes', isoMedia(2048, 'avif', '', 4096)],
    ['of 2048 bytes with a brand at its end', isoMedia(2048, 'msf1', `${'miaf'.repeat(507)}avis`, 4096)],
  ])('%s is accepted', async (_what, bytes) => {
    expect(imageFormat(bytes, 'x')).toBe('AVIF');
    expect(await isDetected(bytes)).toBe(true);
  });

  test.each([
    ['of size 0, up to the end of the file', isoMedia(0, 'avif', 'avif', 4096)],
    ['of size 1, with a 64-bit size', isoMedia(1, 'avif', 'avif', 4096)],
    ['of 8 bytes', isoMedia(8, 'avif', 'avif', 4096)],
    ['of 12 bytes', isoMedia(12, 'avif', 'avif', 4096)],
    ['of 18 bytes', isoMedia(18, 'avif', 'avif', 4096)],
    ['of 2052 bytes', isoMedia(2052, 'avif', 'avif', 4096)],
    ['of 2^31 + 32 bytes', isoMedia(2 ** 31 + 32, 'avif', 'avif', 4096)],
    ['of 2^32 - 4 bytes', isoMedia(2 ** 32 - 4, 'avif', 'avif', 4096)],
    ['that ends after the file', isoMedia(64, 'avif', 'avif', 60)],
    ['cut after its type', isoMedia(16, 'avif', '', 8)],
  ])('%s is rejected', (_what, bytes) => {
    const message = 'image must be JPEG, PNG, WebP, GIF, TIFF or AVIF, got ISO media with an invalid ftyp box (x)';
    expect(() => imageFormat(bytes, 'x')).toThrow(expect.objectContaining({ code: 'INVALID_IMAGE', message }));
  });

  test.each([
    ['after the box', isoMedia(20, 'mif1', 'miafavif', 4096)],
    ['across two brands', isoMedia(24, 'mif1', 'xxavifxx', 4096)],
    ['in place of the minor version', Buffer.from('\0\0\0\x14ftypmif1avifmiaf', 'latin1')],
  ])('a brand %s is ignored', (_what, bytes) => {
    expect(() => imageFormat(bytes, 'x')).toThrow(/got HEIC or other ISO media \(x\)/);
  });

  const majorBrands = 'avif mif1 msf1 heic heix hevc heim heis hevm hevs avis mif2 miaf abcd'.split(' ');
  test.each(majorBrands)('with the major brand %s is accepted only if libvips detects it', async (majorBrand) => {
    const bytes = isoMedia(24, majorBrand, 'avifavis', 4096);
    if (await isDetected(bytes)) expect(imageFormat(bytes, 'x')).toBe('AVIF');
    else expect(() => imageFormat(bytes, 'x')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_IMAGE' }));
  });

  test.each([
    ['two brands', isoMedia(24, 'avis', 'avifavis', 4096)],
    ['the brands of an encoder', isoMedia(44, 'avis', 'avifavismsf1iso8mif1miafMA1A', 4096)],
  ])('of an image sequence is named: %s', (_what, bytes) => {
    const message = expect.stringContaining('got an AVIF image sequence (x)');
    expect(() => imageFormat(bytes, 'x')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_IMAGE', message }));
  });
});

test('an ftyp box has at most 2048 bytes, even if more of the file is passed', () => {
  const parse = (size: number) => parseFtypBox(isoMedia(size, 'avif', 'miaf', 4096).toString('latin1'));
  expect(parse(20)).toEqual({ majorBrand: 'avif', compatibleBrands: ['miaf'] });
  expect(parse(2048)?.compatibleBrands).toHaveLength(508);
  expect(parse(2052)).toBeUndefined();
});

describe('TIFF', () => {
  const headers: readonly (readonly [what: string, header: string])[] = [
    ['no directory', 'II*\0'],
    ['a directory of offset 0', 'II*\0\0\0\0\0'],
    ['a directory inside the header', 'MM\0*\0\0\0\x04'],
    ['a directory after the file', 'II*\0\xff\xff\xff\xff'],
    ['a directory without entries', 'II*\0\x08\0\0\0\0\0'],
    ['a directory that ends after the file', 'MM\0*\0\0\0\x08\0\x02'],
    ['BigTIFF offsets of 4 bytes', 'II+\0\x04\0\0\0\x10\0\0\0\0\0\0\0'],
    ['a BigTIFF directory after the file', 'MM\0+\0\x08\0\0\xff\xff\xff\xff\xff\xff\xff\xff'],
    ['markup for a header', 'II*\0<svg xmlns="http://www.w3.org/2000/svg"/>'],
  ];
  test.each(headers)('with %s is rejected, as libvips does not detect it', async (_what, header) => {
    const bytes = Buffer.from(header, 'latin1');
    const message = expect.stringContaining('got TIFF without its first directory (x)');
    expect(() => imageFormat(bytes, 'x')).toThrow(expect.objectContaining({ code: 'INVALID_IMAGE', message }));
    expect(await isDetected(bytes)).toBe(false);
  });

  test.each([{ bigtiff: false }, { bigtiff: true }])('written by sharp is accepted: %j', async (options) => {
    const bytes = await red().tiff(options).toBuffer();
    expect(imageFormat(bytes, 'x')).toBe('TIFF');
  });
});

describe('messages', () => {
  const texts = ['root:x:0:0:root', '-----BEGIN', 'ftypavif', '    ftyp1234secret'];
  test.each(texts)('never contain the bytes: %s', (text) => {
    const bytes = Buffer.from(text);
    const shown = new RegExp(`${text.slice(0, 4)}|${bytes.toString('hex', 0, 4)}`);
    const message = expect.not.stringMatching(shown);
    expect(() => imageFormat(bytes, 'x')).toThrow(expect.objectContaining({ message }));
  });
  test('name markup that is not SVG', () => {
    expect(() => imageFormat(Buffer.from('<!DOCTYPE html><p>'), 'x')).toThrow(/got XML or HTML \(x\)/);
  });
});

test('sharp selects the expected loader for each format', async () => {
  const verdicts = await Promise.all(
    (['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const).map(async (name) => {
      const bytes = await red().toFormat(name).toBuffer();
      const format = imageFormat(bytes, 'x');
      checkLoader((await sharp(bytes).metadata()).format, format, 'x');
      return format;
    }),
  );
  expect(verdicts).toEqual(['JPEG', 'PNG', 'WebP', 'GIF', 'TIFF', 'AVIF']);
});
