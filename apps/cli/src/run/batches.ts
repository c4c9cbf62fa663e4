import type { OpenedInput } from './open-pending.ts';

/** Groups images, in order, to batches of about `size` prompts. An image is never split, so each is encoded once. */
export async function* batchesOf(
  images: AsyncIterable<OpenedInput>,
  size: number,
): AsyncGenerator<readonly OpenedInput[]> {
  let batch: OpenedInput[] = [];
  let prompts = 0;
  for await (const image of images) {
    // Failed and finished images count as one prompt, so that they are reported soon.
    const weight = 'image' in image ? Math.max(1, image.prompts.length) : 1;
    if (batch.length > 0 && prompts + weight > size) {
      yield batch;
      [batch, prompts] = [[], 0];
    }
    batch.push(image);
    prompts += weight;
  }
  if (batch.length > 0) yield batch;
}
