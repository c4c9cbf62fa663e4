import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type { RgbImage } from '@blip2/interfaces';

/** Pixels, as in small photographs. */
const [WIDTH, HEIGHT] = [640, 480];

/** The file of the image to measure with. The default image is written to a temporary file until disposal. */
export async function benchImage(given: string | undefined): Promise<AsyncDisposable & { readonly file: string }> {
  if (given !== undefined) return { file: resolve(given), [Symbol.asyncDispose]: async () => {} };
  const { encodePng } = await import('@blip2/processor');
  const folder = await mkdtemp(join(tmpdir(), 'blip2-bench-'));
  const file = join(folder, 'image.png');
  await writeFile(file, await encodePng(exampleImage()));
  return { file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** A colour gradient with a disc on it. Times do not depend on the content. */
function exampleImage(): RgbImage {
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const inside = (x - WIDTH / 2) ** 2 + (y - HEIGHT / 2) ** 2 < (HEIGHT / 3) ** 2;
      data.set(inside ? [220, 40, 40] : [(255 * x) / WIDTH, (255 * y) / HEIGHT, 160], 3 * (y * WIDTH + x));
    }
  }
  return { type: 'uint8', dims: [HEIGHT, WIDTH, 3], data };
}
