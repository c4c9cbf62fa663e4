import { Blip2Error, type ImageSource, type RgbImage, type Tensor } from '@blip2/interfaces';
import { decodeImage } from '@blip2/processor';

import type { GoldenCase } from './golden-case.ts';

/** Levels by which two JPEG decoders may differ; the format judges `decode_image` of a JPEG with it. */
const JPEG_LEVELS = 2;

/** The file of a picture of the case; `INVALID_ARGUMENT` if the manifest does not list it. */
export function caseFile(golden: GoldenCase, name: string): string {
  const image = golden.images.get(name);
  if (!image) throw new Blip2Error('INVALID_ARGUMENT', 'the manifest lists no such image', { where: name });
  return image.file;
}

/**
 * An image of a case. Where a JPEG decodes a level or two unlike the reference, the reference's levels stand in for the
 * file: what is
 * judged then is the processing, and decoding has an entry of its own.
 */
export async function caseImage(golden: GoldenCase, name: string): Promise<ImageSource> {
  const file = caseFile(golden, name);
  const expected = golden.images.get(name)?.format === 'JPEG' ? goldenLevels(golden, name) : undefined;
  if (!expected) return file;
  const difference = levelDifference(await decodeImage(file), expected);
  return difference > 0 && difference <= JPEG_LEVELS ? expected : file;
}

/** What the reference decoded, if an entry recorded it. */
function goldenLevels(golden: GoldenCase, name: string): RgbImage | undefined {
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

function levelDifference(a: RgbImage, b: RgbImage): number {
  if (a.dims.join() !== b.dims.join()) return Infinity;
  return b.data.reduce((largest, level, index) => Math.max(largest, Math.abs(level - (a.data[index] ?? 0))), 0);
}
