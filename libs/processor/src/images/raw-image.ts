import { types } from 'node:util';

import { Blip2Error, mustBe, type RawImage, type RgbImage } from '@blip2/interfaces';

/** Whether a source is a raw image: pixel values with a size. */
export function isRawImage(source: unknown): source is RawImage {
  return (
    typeof source === 'object' &&
    source !== null &&
    'data' in source &&
    'width' in source &&
    'height' in source &&
    'channels' in source
  );
}

/** Whether a source is a decoded image: pixel values `[height, width, 3]`. */
export function isRgbImage(source: unknown): source is RgbImage {
  return typeof source === 'object' && source !== null && 'data' in source && 'dims' in source && 'type' in source;
}

/**
 * Checks a decoded image passed by a caller.
 * @throws Blip2Error `INVALID_IMAGE` unless its data matches its dimensions.
 */
export function checkRgbImage(image: RgbImage, where: string): RgbImage {
  const [height, width, channels] = image.dims;
  if (image.type !== 'uint8' || image.dims.length !== 3 || channels !== 3) {
    throw new Blip2Error('INVALID_IMAGE', {
      where,
      argument: 'image',
      expected: 'a decoded image, uint8 [height, width, 3]',
      got: `${image.type} [${image.dims.join(', ')}]`,
    });
  }
  checkLength(image.data, width, height, 3, where);
  return image;
}

/**
 * Converts a raw image to RGB like Pillow's `convert("RGB")`: grey is repeated, alpha is dropped, not blended.
 * @throws Blip2Error `INVALID_IMAGE` for invalid sizes, numbers of channels and lengths of `data`.
 */
export function rawToRgb(image: RawImage, where: string): RgbImage {
  const { data, width, height, channels } = checkRawImage(image, where);
  const dims: [number, number, 3] = [height, width, 3];
  if (channels === 3) return { type: 'uint8', dims, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  const rgb = new Uint8Array(width * height * 3);
  const green = channels === 1 ? 0 : 1;
  for (let from = 0, to = 0; from < data.length; from += channels, to += 3) {
    rgb[to] = data[from] ?? 0;
    rgb[to + 1] = data[from + green] ?? 0;
    rgb[to + 2] = data[from + 2 * green] ?? 0;
  }
  return { type: 'uint8', dims, data: rgb };
}

/**
 * Checks a raw image passed by a caller.
 * @throws Blip2Error `INVALID_IMAGE` for invalid sizes, numbers of channels and lengths of `data`.
 */
export function checkRawImage(image: RawImage, where: string): RawImage {
  const { data, width, height, channels } = image;
  if (channels !== 1 && channels !== 3 && channels !== 4) {
    throw mustBe('channels', '1 (grey), 3 (RGB) or 4 (RGBA)', channels, { code: 'INVALID_IMAGE', where });
  }
  checkLength(data, width, height, channels, where);
  return image;
}

function checkLength(data: unknown, width: unknown, height: unknown, channels: number, where: string): void {
  const size = isSide(width) && isSide(height) ? width * height * channels : undefined;
  if (size === undefined) {
    throw new Blip2Error('INVALID_IMAGE', 'The image size is invalid', {
      where,
      expected: 'width and height of at least 1 pixel',
      got: `${String(width)} x ${String(height)}`,
    });
  }
  if (!types.isUint8Array(data) && !types.isUint8ClampedArray(data)) {
    throw mustBe('data', 'a Uint8Array or Uint8ClampedArray', data, { code: 'INVALID_IMAGE', where });
  }
  if (data.length !== size) {
    throw new Blip2Error('INVALID_IMAGE', 'The image data has the wrong length', {
      where,
      expected: `${String(width)} x ${String(height)} x ${channels} = ${size}`,
      got: String(data.length),
    });
  }
}

const isSide = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
