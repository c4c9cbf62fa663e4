import type { Opened } from './open-pending.ts';

/** The images in order, in groups of about `size` parts. An image is never split, so each is encoded once. */
export async function* batchesOf(images: AsyncIterable<Opened>, size: number): AsyncGenerator<readonly Opened[]> {
  let batch: Opened[] = [];
  let parts = 0;
  for await (const image of images) {
    // One that failed, or that has been done before, waits for the others, and must not wait long.
    const weight = 'image' in image ? Math.max(1, image.parts.length) : 1;
    if (batch.length > 0 && parts + weight > size) {
      yield batch;
      [batch, parts] = [[], 0];
    }
    batch.push(image);
    parts += weight;
  }
  if (batch.length > 0) yield batch;
}
