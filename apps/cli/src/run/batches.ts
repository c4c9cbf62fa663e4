import type { Opened } from './open-pending.ts';

/** The pictures in order, in groups of about `size` parts. A picture is never split, so each is encoded once. */
export async function* batchesOf(pictures: AsyncIterable<Opened>, size: number): AsyncGenerator<readonly Opened[]> {
  let batch: Opened[] = [];
  let parts = 0;
  for await (const picture of pictures) {
    // One that failed, or that has been done before, waits for the others, and must not wait long.
    const weight = 'image' in picture ? Math.max(1, picture.parts.length) : 1;
    if (batch.length > 0 && parts + weight > size) {
      yield batch;
      [batch, parts] = [[], 0];
    }
    batch.push(picture);
    parts += weight;
  }
  if (batch.length > 0) yield batch;
}
