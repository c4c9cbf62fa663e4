import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { medianOf } from '@blip2/cli';
import { decodeImage, encodeJpeg, resize } from '@blip2/processor';

/** Size in pixels: 12 megapixels. */
export const PHOTOGRAPH = { width: 4000, height: 3000 } as const;
const QUALITY = 90;
const RUNS = 9;

/** Writes `0.jpg`, `1.jpg`, … to `folder`. Returns their mean size in bytes. */
export async function writePhotographs(folder: string, count: number): Promise<number> {
  let bytes = 0;
  for (let number = 0; number < count; number++) {
    const file = join(folder, `${number}.jpg`);
    await writeFile(file, await photograph(number));
    bytes += (await stat(file)).size;
  }
  return Math.round(bytes / count);
}

/** A gradient, waves and noise: about as expensive to decode as a real photograph. */
function photograph(number: number): Promise<Uint8Array> {
  const { width, height } = PHOTOGRAPH;
  const data = new Uint8Array(width * height * 3);
  let state = 12345 + number;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const noise = (state >>> 28) - 8;
      data[at++] = clamp((x * 255) / width + 40 * Math.sin(x / (37 + number)) + noise);
      data[at++] = clamp((y * 255) / height + noise);
      data[at++] = clamp(128 + 80 * Math.sin((x + y) / 90) + noise);
    }
  }
  return encodeJpeg({ type: 'uint8', dims: [height, width, 3], data }, { quality: QUALITY });
}

function clamp(level: number): number {
  return Math.max(0, Math.min(255, level));
}

/** Median time on one core to decode an image and to resize it to 224 x 224 pixels. */
export async function preprocessingTimes(file: string): Promise<{ decodeMs: number; resizeMs: number }> {
  const [decodeMs, resizeMs]: [number[], number[]] = [[], []];
  const bytes = await readFile(file);
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    const image = await decodeImage(bytes, { autoOrient: true });
    const decoded = performance.now();
    resize(image, 224, 224, 'bicubic');
    decodeMs.push(decoded - start);
    resizeMs.push(performance.now() - decoded);
  }
  return { decodeMs: Math.round(medianOf(decodeMs)), resizeMs: Math.round(medianOf(resizeMs)) };
}
