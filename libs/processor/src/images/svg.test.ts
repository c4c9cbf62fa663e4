import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { decodeImage } from './decode-image.ts';
import { SVG_FILES } from './fixtures/svg-files.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'svg-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(SVG_FILES)('SVG as %s is rejected', (_what, bytes, named) => {
  const refusal = {
    name: 'Blip2Error',
    code: 'UNSUPPORTED_IMAGE',
    message: expect.stringContaining(`image must be JPEG, PNG, WebP, GIF, TIFF or AVIF, got ${named} (`),
  };

  test('as bytes and as a Blob', async () => {
    await expect(decodeImage(bytes)).rejects.toMatchObject(refusal);
    await expect(decodeImage(Uint8Array.from(bytes))).rejects.toMatchObject(refusal);
    await expect(decodeImage(new Blob([Uint8Array.from(bytes)]))).rejects.toMatchObject(refusal);
  });

  test('as a file with any name', async () => {
    for (const name of ['image.avif', 'image.svg']) {
      const path = join(folder, name);
      await writeFile(path, bytes);
      await expect(decodeImage(path)).rejects.toMatchObject(refusal);
      await expect(decodeImage(new URL(`file://${path}`))).rejects.toMatchObject(refusal);
    }
  });

  test('as a data URL', async () => {
    for (const type of ['image/avif', 'image/svg+xml']) {
      const url = `data:${type};base64,${bytes.toString('base64')}`;
      await expect(decodeImage(url)).rejects.toMatchObject(refusal);
      await expect(decodeImage(new URL(url), { allowUrls: true })).rejects.toMatchObject(refusal);
    }
  });
});
