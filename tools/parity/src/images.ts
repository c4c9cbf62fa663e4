import { Blip2Error, type ImageSource, type RgbImage, type Tensor } from '@blip2/interfaces';
import { decodeImage } from '@blip2/processor';

import type { GoldenCase } from './golden-case.ts';

/** Tolerance of 8-bit pixel values between two JPEG decoders, as in the format. */
const JPEG_TOLERANCE = 2;

/**
 * The file of an image of the case.
 * @throws Blip2Error `INVALID_ARGUMENT` if the manifest does not list it.
 */
export function caseFile(golden: GoldenCase, name: string): string {
  const image = golden.images.get(name);
  if (!image) throw new Blip2Error('INVALID_ARGUMENT', 'The manifest lists no such image', { where: name });
  return image.file;
}

/**
 * An image of a case: its file, or the pixels that Transformers decoded if a JPEG decodes slightly differently here.
 * The
 * entry then tests the processing; decoding has its own entry.
 */
export async function caseImage(golden: GoldenCase, name: string): Promise<ImageSource> {
  const file = caseFile(golden, name);
  const expected = golden.images.get(name)?.format === 'JPEG' ? goldenPixels(golden, name) : undefined;
  if (!expected) return file;
  const difference = pixelDifference(await decodeImage(file), expected);
  return difference > 0 && difference <= JPEG_TOLERANCE ? expected : file;
}

/** The pixels that Transformers decoded, if an entry recorded them. */
function goldenPixels(golden: GoldenCase, name: string): RgbImage | undefined {
  const entry = golden.entries.find(({ kind, inputs }) => {
    const image = inputs.get('image');
    return kind === 'decode_image' && image?.form === 'json' && image.value === name;
  });
  const rgb = entry?.outputs.get('rgb');
  const tensor = rgb?.form === 'tensor' ? golden.tensors.get(rgb.name) : undefined;
  return tensor && isRgb(tensor) ? tensor : undefined;
}

function isRgb(tensor: Tensor): tensor is RgbImage {
  return tensor.type === 'uint8' && tensor.dims.length === 3 && tensor.dims[2] === 3;
}

function pixelDifference(a: RgbImage, b: RgbImage): number {
  if (a.dims.join() !== b.dims.join()) return Infinity;
  return b.data.reduce((largest, level, index) => Math.max(largest, Math.abs(level - (a.data[index] ?? 0))), 0);
}
