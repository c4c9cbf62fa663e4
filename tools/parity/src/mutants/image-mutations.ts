import type { Tensor } from '@blip2/interfaces';
import { decodeImage, type ImageProcessorSettings } from '@blip2/processor';

import { type EntryCall, optionsOf } from '../entry-kind.ts';
import { blendOverWhite } from './blend-over-white.ts';
import { floatBicubic, type FloatImage, roundToBytes } from './float-bicubic.ts';
import { IMAGE_KINDS, type Mutation } from './mutation.ts';

const image = { case: 'opt', reaches: IMAGE_KINDS } as const;
/** Entry kinds that resize. */
const RESIZING: readonly string[] = ['image_processor', 'processor'];
/** Pillow's code for the bilinear filter. */
const BILINEAR = 2;
/** The image with an alpha channel. */
const TRANSPARENT = 'alpha.png';

export const imageMutations: readonly Mutation[] = [
  {
    ...image,
    name: 'image: EXIF orientation applied',
    call: (call) => ({ ...call, options: { ...call.options, autoOrient: true } }),
  },
  {
    ...image,
    name: 'image: alpha blended over white',
    call: (call) => ({
      ...call,
      image: (name) => (name === TRANSPARENT ? blendOverWhite(call.file(name)) : call.image(name)),
    }),
    async result(result, { inputs, file }) {
      if (inputs.has('image') && inputs.string('image') === TRANSPARENT)
        result.set('rgb', await decodeImage(await blendOverWhite(file(TRANSPARENT))));
    },
  },
  {
    ...image,
    name: 'image: bilinear',
    reaches: RESIZING,
    call: (call) => ({ ...call, options: { resample: BILINEAR, ...call.options } }),
  },
  {
    ...image,
    name: 'image: bicubic without antialiasing',
    reaches: RESIZING,
    // An image that already has the right size is not changed by resizing.
    call: (call) => ({ ...call, image: async (name) => roundToBytes(await resized(call, name, false)) }),
  },
  {
    ...image,
    name: 'image: bicubic without rounding to 8 bits',
    reaches: RESIZING,
    async result(result, call) {
      if (!result.has('pixelValues')) return;
      const images = await Promise.all(call.inputs.strings('images').map((name) => resized(call, name, true)));
      result.set('pixelValues', toPixelValues(images, await settingsOf(call)));
    },
  },
];

async function settingsOf(call: EntryCall): Promise<ImageProcessorSettings> {
  const { settings } = await call.models.imageProcessor();
  return { ...settings, ...optionsOf<ImageProcessorSettings>(call) };
}

async function resized(call: EntryCall, name: string, antialias: boolean): Promise<FloatImage> {
  const { doResize, size } = await settingsOf(call);
  const rgb = await decodeImage(await call.image(name));
  const [height, width] = doResize && 'height' in size ? [size.height, size.width] : rgb.dims;
  return floatBicubic(rgb, height, width, antialias);
}

function toPixelValues(
  images: readonly FloatImage[],
  { doRescale, rescaleFactor, doNormalize, imageMean, imageStd }: ImageProcessorSettings,
): Tensor<'float32'> {
  const [{ height, width } = { height: 0, width: 0 }] = images;
  const plane = height * width;
  const data = new Float32Array(images.length * 3 * plane);
  images.forEach((image, index) =>
    image.data.forEach((level, at) => {
      const channel = at % 3;
      const value = doRescale ? level * rescaleFactor : level;
      data[(index * 3 + channel) * plane + Math.floor(at / 3)] = doNormalize
        ? (value - (imageMean[channel] ?? 0)) / (imageStd[channel] ?? 1)
        : value;
    }),
  );
  return { type: 'float32', dims: [images.length, 3, height, width], data };
}
