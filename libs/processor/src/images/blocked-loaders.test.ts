import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

import sharp from 'sharp';
import { expect, test } from 'vitest';

import { decodeImage } from './decode-image.ts';
import { encodePng } from './encode-png.ts';
import { SVG, SVG_FILES } from './fixtures/svg-files.ts';
import { BLOCKED_LOADERS } from './load-sharp.ts';

/** The format that libvips detects, or the error message. */
function formatOf(input: Uint8Array): Promise<string> {
  return sharp(input)
    .metadata()
    .then(
      ({ format }) => format,
      (error: Error) => error.message,
    );
}

/** The same in a thread that does not load this package. */
const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const answer = (text) => parentPort.postMessage(text);
  const metadata = require('sharp')(Buffer.from(workerData)).metadata();
  metadata.then(({ format }) => answer(format), ({ message }) => answer(message));
`;

// A single test, because blocking affects the whole process, so each step depends on the previous ones.
test('loading sharp blocks SVG in libvips for all threads, until it is unblocked', async () => {
  expect(await formatOf(Buffer.from(SVG))).toBe('svg');
  const detected = await Promise.all(SVG_FILES.map(([, bytes]) => formatOf(bytes)));
  expect(detected.filter((format) => format === 'svg').length).toBeGreaterThan(12);

  const png = await encodePng({ type: 'uint8', dims: [1, 1, 3], data: Uint8Array.of(1, 2, 3) });
  for (const [, bytes] of SVG_FILES) expect(await formatOf(bytes)).toMatch(/unsupported image format/);
  expect(await formatOf(png)).toBe('png');
  const worker = new Worker(THREAD, { eval: true, workerData: SVG });
  expect(await once(worker, 'message')).toEqual([expect.stringContaining('unsupported image format')]);
  await expect(decodeImage(sharp(Buffer.from(SVG)))).rejects.toMatchObject({ code: 'INVALID_IMAGE' });

  // Other code of the process may unblock SVG: it then stays unblocked, and is still rejected here.
  sharp.unblock({ operation: [...BLOCKED_LOADERS] });
  expect((await decodeImage(png)).dims).toEqual([1, 1, 3]);
  expect(await formatOf(Buffer.from(SVG))).toBe('svg');
  const refusal = { code: 'UNSUPPORTED_IMAGE' };
  for (const [, bytes] of SVG_FILES) await expect(decodeImage(bytes)).rejects.toMatchObject(refusal);
});
