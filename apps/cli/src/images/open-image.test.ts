import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { BlipImageProcessor, encodeJpeg, resizingOf } from '@blip2/processor';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { repository } from '../fixtures/spawn-blip2.ts';
import type { ImageReader } from './image-port.ts';
import { imageReader } from './image-reader.ts';
import { openImage } from './open-image.ts';

const star = join(repository, 'examples/one-large-star.png');
const { signal } = new AbortController();
/** Larger and smaller than the images, and of another shape. */
const processors = [
  { height: 224, width: 224 },
  { height: 20, width: 33 },
].map((size) => BlipImageProcessor.create({ ...BlipImageProcessor.create().settings, size }));

let threads: ImageReader;
beforeAll(() => {
  threads = imageReader(2);
});
afterAll(() => threads[Symbol.asyncDispose]());

describe('an image resized in advance', () => {
  test.each(processors)(
    'has the same pixel values as one resized by the processor ($settings.size)',
    async (processor) => {
      const { image } = await openImage(star, { resizing: resizingOf(processor), signal });
      expect(image.dims.slice(0, 2)).toEqual(
        'height' in processor.settings.size ? [processor.settings.size.height, processor.settings.size.width] : [],
      );
      const [prepared, whole] = [await processor.process(image), await processor.process(star)];
      expect(prepared.pixelValues).toEqual(whole.pixelValues);
    },
  );

  test('is not resized for a processor that does not resize', () => {
    expect(
      resizingOf(BlipImageProcessor.create({ ...BlipImageProcessor.create().settings, doResize: false })),
    ).toBeUndefined();
  });

  test('keeps its aspect ratio in the thumbnail', async () => {
    const jpeg = await encodeJpeg({
      type: 'uint8',
      dims: [500, 1000, 3],
      data: new Uint8Array(500 * 1000 * 3).fill(90),
    });
    const { width, height, thumbnail } = await openImage(jpeg, {
      resizing: { height: 32, width: 32, resample: 'bicubic' },
      thumbnail: true,
      signal,
    });
    expect({ width, height }).toEqual({ width: 1000, height: 500 });
    expect(thumbnail).toMatchObject({ width: 320, height: 160 });
    expect((await openImage(thumbnail!.jpeg, { signal })).image.dims).toEqual([160, 320, 3]);
  });
});

describe('on other threads', () => {
  test('is equal, from a path, a URL and bytes, and this thread is not blocked', async () => {
    const resizing = { height: 24, width: 16, resample: 'bicubic' } as const;
    const here = await openImage(star, { resizing, thumbnail: true, signal });
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 1);
    const there = await threads.open(star, { resizing, thumbnail: true, signal });
    clearInterval(counting);
    expect(there).toEqual(here);
    expect(turns).toBeGreaterThan(0);
    expect(await threads.open(new URL(`file://${star}`), { resizing, signal })).toMatchObject({ image: here.image });
    expect(await threads.open(here.thumbnail!.jpeg, { signal })).toMatchObject({ width: here.thumbnail!.width });
  });

  test('more images than threads: each call gets its own', async () => {
    const sizes = [5, 6, 7, 8, 9, 10];
    const opened = await Promise.all(
      sizes.map((side) => threads.open(star, { resizing: { height: side, width: side, resample: 'box' }, signal })),
    );
    expect(opened.map(({ image }) => image.dims[0])).toEqual(sizes);
  });

  test('failures keep their code and message; the next image is opened', async () => {
    await expect(threads.open('/nowhere/x.png', { signal })).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('/nowhere/x.png'),
    });
    await expect(threads.open(Uint8Array.of(1, 2, 3), { signal })).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
    await expect(threads.open(star, { signal })).resolves.toMatchObject({ image: { type: 'uint8' } });
  });

  test('an abort is the standard error', async () => {
    await expect(threads.open(star, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a URL of this machine', () => {
  test('is fetched if allowed, and rejected otherwise', async () => {
    const png = await encodeJpeg({ type: 'uint8', dims: [2, 3, 3], data: new Uint8Array(18) });
    const server = createServer((_request, response) => void response.end(png));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x.jpg`);
      await expect(threads.open(url, { signal })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      expect(await threads.open(url, { allowPrivateUrls: true, signal })).toMatchObject({ width: 3, height: 2 });
    } finally {
      server.close();
    }
  });
});
