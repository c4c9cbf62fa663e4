import { Blip2Error } from '@blip2/interfaces';

import { show } from './json-values.ts';

/** @throws Blip2Error `INVALID_CONFIG` unless the width splits into heads of equal size. */
export function requireWholeHeads(width: number, heads: number, where: string): void {
  if (width % heads === 0) return;
  throw new Blip2Error('INVALID_CONFIG', 'hidden_size must be a multiple of num_attention_heads', {
    expected: 'a multiple of num_attention_heads',
    got: `${width} for ${heads} heads`,
    where,
  });
}

/** The error for a configuration of an unsupported model family. */
export function unsupportedModelType(
  found: unknown,
  supported: readonly string[],
  where: string,
  fix?: string,
): Blip2Error {
  return new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The model type is not supported', {
    expected: supported.length === 1 ? `${supported[0]}` : `one of ${supported.join(', ')}`,
    got: show(found),
    where,
    ...(typeof found === 'string' && { subject: found }),
    ...(fix !== undefined && { fix }),
  });
}

/** @throws Blip2Error `INVALID_CONFIG` if heads do not divide the width, or an image is smaller than one patch. */
export function requirePatches(
  {
    hiddenSize,
    numAttentionHeads,
    imageSize,
    patchSize,
  }: Readonly<Record<'hiddenSize' | 'numAttentionHeads' | 'imageSize' | 'patchSize', number>>,
  where: string,
): void {
  requireWholeHeads(hiddenSize, numAttentionHeads, where);
  if (imageSize >= patchSize) return;
  throw new Blip2Error('INVALID_CONFIG', 'image_size must not be smaller than patch_size', {
    expected: `at least ${patchSize}`,
    got: String(imageSize),
    where,
  });
}
