import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

import type { ImageSource, RgbImage } from '@blip2/interfaces';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { BlipImageProcessor } from '../blip-image-processor.ts';
import { decodeBytes, MAX_IMAGE_PIXELS } from '../images/decode-bytes.ts';
import { defaultThreads } from './image-pool.ts';
import { createImageThreads, type ImageThreads } from './image-threads.ts';

const RULES = { autoOrient: false, maxPixels: MAX_IMAGE_PIXELS };
/** Larger than what is decoded on the calling thread. */
const [width, height] = [640, 480];
const values = Uint8Array.from({ length: width * height * 4 }, (_, index) => (index * 7) ^ (index >> 9));
const image = sharp(values, { raw: { width, height, channels: 4 } });

/** A value to compare: `toEqual` takes a second for the data of each image. */
const digest = ({ type, dims, data }: RgbImage) => ({
  type,
  dims,
  hash: createHash('sha256').update(data).digest('hex'),
});

let threads: ImageThreads;
beforeAll(() => {
  threads = createImageThreads(2);
});
afterAll(() => threads[Symbol.asyncDispose]());

test('without a number, there are as many threads as suit the cores', async () => {
  await using fitting = createImageThreads();
  expect(fitting.threads).toBe(defaultThreads());
});

describe('an image on another thread equals the same one on this thread', () => {
  const formats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'avif'] as const;
  test.each(formats)('%s', async (format) => {
    const file = format === 'avif' ? image.clone().avif({ effort: 0 }) : image.clone().toFormat(format);
    const bytes = await file.toBuffer();
    const expected = digest(await decodeBytes(bytes, 'x', RULES));
    expect(digest((await threads.open(bytes)).image)).toEqual(expected);
    // The caller's bytes are copied, not taken away, also if they are part of a larger buffer.
    const part = Buffer.concat([Buffer.alloc(9), bytes, Buffer.alloc(5)]).subarray(9, 9 + bytes.length);
    expect(digest((await threads.open(part)).image)).toEqual(expected);
    expect(Buffer.compare(part, bytes)).toBe(0);
  });

  test('grey, raw and sharp', async () => {
    const grey = await image.clone().toColourspace('b-w').jpeg().toBuffer();
    expect(digest((await threads.open(grey)).image)).toEqual(digest(await decodeBytes(grey, 'x', RULES)));
    const opaque = await decodeBytes(await image.clone().png().toBuffer(), 'x', RULES);
    const sources: ImageSource[] = [{ data: values, width, height, channels: 4 }, opaque, image.clone()];
    for (const source of sources) expect(digest((await threads.open(source)).image)).toEqual(digest(opaque));
    expect(opaque.data).toHaveLength(width * height * 3);
  });
});

test('a list has the pixel values of its images', async () => {
  const processor = BlipImageProcessor.create({
    ...BlipImageProcessor.create().settings,
    size: { height: 9, width: 7 },
  });
  const png = await image.clone().png().toBuffer();
  const gif = await image.clone().gif().toBuffer();
  const tiny = { data: values.subarray(0, 6), width: 2, height: 1, channels: 3 as const };
  const list = [png, tiny, gif, png, tiny];
  const { pixelValues } = await processor.process(list);
  expect(pixelValues.dims).toEqual([5, 3, 9, 7]);
  for (const [index, source] of list.entries()) {
    const single = (await processor.process(source)).pixelValues.data;
    expect(pixelValues.data.subarray(index * 189, (index + 1) * 189)).toEqual(single);
  }
  await expect(processor.process([png, Buffer.from('no'), Buffer.from('%PDF')])).rejects.toMatchObject({
    code: 'INVALID_IMAGE',
  });
});

test('the event loop of the caller turns meanwhile', async () => {
  const png = await image.clone().resize(2000, 1500).png({ compressionLevel: 1 }).toBuffer();
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  await threads.open(png, { resizing: { height: 24, width: 16, resample: 'lanczos' } });
  clearInterval(counting);
  expect(turns).toBeGreaterThan(0);
});

test('failures keep their code, message and details', async () => {
  const png = await image.clone().png().toBuffer();
  const cut = png.subarray(0, png.length - 100);
  const failure = await decodeBytes(cut, 'image bytes', RULES).catch((error: unknown) => error);
  const { code, message, details } = Object(failure);
  const { cause, ...plain } = details;
  expect(cause).toBeInstanceOf(Error);
  expect(plain).toHaveProperty('got');
  const name = 'Blip2Error';
  await expect(threads.open(cut)).rejects.toMatchObject({ name, code, message, details: plain });
  await expect(threads.open(png, { maxPixels: 9 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
});

test('an abort takes effect while the thread decodes', async () => {
  const gif = await image.clone().resize(3000, 2000, { kernel: 'nearest' }).gif({ effort: 1 }).toBuffer();
  const controller = new AbortController();
  const opening = threads.open(gif, { signal: controller.signal });
  for (let turns = 0; turns < 5; turns++) await turn();
  controller.abort();
  // Not `rejects`: the message of a failure would contain all pixels.
  const outcome = await opening.then(
    () => 'opened',
    (error: Error) => error.name,
  );
  expect(outcome).toBe('AbortError');
  expect((await threads.open(await image.clone().jpeg().toBuffer())).width).toBe(width);
});

/** Starts a thread, which fails instead of falling back to the calling thread, and processes an image on another. */
const PROGRAM = `
const dist = '${pathToFileURL(join(import.meta.dirname, '../../dist')).href}';
const { startImageThread } = await import(dist + '/threads/image-thread.js');
await startImageThread().ready;
const { BlipImageProcessor } = await import(dist + '/index.js');
const data = new Uint8Array(640 * 480);
const { pixelValues } = await BlipImageProcessor.create().process({ data, width: 640, height: 480, channels: 1 });
console.log(pixelValues.dims.join(' '));
`;

test('threads do not keep the process alive, and do not inherit its flags', () => {
  const options = { encoding: 'utf8', timeout: 60_000 } as const;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], options);
  expect(output.trim()).toBe('1 3 384 384');
});

test("threads start in a user's own worker thread", async () => {
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`), { stdout: true });
  let output = '';
  worker.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise((resolve) => worker.once('exit', resolve));
  expect({ code, output: output.trim() }).toEqual({ code: 0, output: '1 3 384 384' });
});
