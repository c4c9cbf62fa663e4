import { createHash } from 'node:crypto';

import { readChunks } from '@blip2/checkpoint';
import type { StoredTensor } from '@blip2/interfaces';

/** What image features depend on. */
export interface EncoderContent {
  /** The tensors of the vision encoder. */
  readonly tensors: readonly StoredTensor[];
  /** Its configuration. */
  readonly config: unknown;
  /** Settings of the image processor. */
  readonly images: unknown;
  readonly precision: string;
}

/** Digest of an encoder: equal for equal weights and settings, wherever they are stored. */
export async function encoderKey({ tensors, config, images, precision }: EncoderContent): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([config, images, precision]));
  for (const tensor of tensors.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(JSON.stringify([tensor.name, tensor.dtype, tensor.shape]));
    for await (const chunk of readChunks(tensor)) hash.update(chunk);
  }
  return hash.digest('hex');
}
