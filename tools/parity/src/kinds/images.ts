import { decodeImage, type DecodeImageOptions, type ImageProcessOptions } from '@blip2/processor';

import { type EntryKind, optionsOf } from '../entry-kind.ts';

/** Per-call overrides of the image processor. */
export const IMAGE_OPTIONS: readonly string[] = [
  'size',
  'do_resize',
  'do_rescale',
  'do_normalize',
  'resample',
  'image_mean',
  'image_std',
];

/** Decodes a file to 8-bit RGB pixel values. */
export const decodeImageKind: EntryKind = {
  inputs: ['image'],
  options: [],
  run: async (call) => ({
    rgb: await decodeImage(call.file(call.inputs.string('image')), optionsOf<DecodeImageOptions>(call)),
  }),
};

/** Image preprocessing with the checkpoint's settings and the entry's overrides. */
export const imageProcessorKind: EntryKind = {
  inputs: ['images'],
  options: IMAGE_OPTIONS,
  async run(call) {
    const images = await Promise.all(call.inputs.strings('images').map(call.image));
    return (await call.models.imageProcessor()).process(images, optionsOf<ImageProcessOptions>(call));
  },
};
