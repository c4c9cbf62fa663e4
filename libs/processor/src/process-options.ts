import { expectKnownOptions } from '@blip2/interfaces';

import { type ImageProcessorOverrides, SETTING_NAMES } from './image-processor-settings.ts';
import type { DecodeImageOptions } from './images/decode-image.ts';
import { TEXT_REPLACEMENTS } from './tokenizer/check-arguments.ts';
import { BATCH_ENCODE_OPTIONS, type BatchEncodeOptions } from './tokenizer/padding.ts';

/** Options of `BlipImageProcessor.process`: settings to override, and options of decoding. */
export interface ImageProcessOptions extends ImageProcessorOverrides, DecodeImageOptions {}

/** Names of `ImageProcessOptions`. */
const IMAGE_OPTIONS: readonly (keyof ImageProcessOptions)[] = [
  ...SETTING_NAMES,
  'autoOrient',
  'allowUrls',
  'allowPrivateUrls',
  'maxPixels',
  'signal',
];

/** What to use instead of options of HF that do not exist here. */
const IMAGE_REPLACEMENTS: Readonly<Record<string, string>> = {
  returnTensors: 'pixelValues is a tensor',
  return_tensors: 'pixelValues is a tensor',
  doConvertRgb: 'Images are always converted to RGB',
  do_convert_rgb: 'Images are always converted to RGB',
};

/** @throws Blip2Error `UNKNOWN_OPTION` for options that `BlipImageProcessor.process` does not have. */
export function checkImageOptions(options: unknown): void {
  expectKnownOptions('BlipImageProcessor.process', options, IMAGE_OPTIONS, IMAGE_REPLACEMENTS);
}

/**
 * Checks the names of the inputs and options of a processor of images and texts; `name` is that of its class.
 * @throws Blip2Error `UNKNOWN_OPTION` for those that do not exist.
 */
export function checkProcessNames(name: string, inputs: unknown, options: unknown): void {
  expectKnownOptions(`inputs of ${name}.process`, inputs ?? null, ['images', 'text']);
  expectKnownOptions(`${name}.process`, options, [...BATCH_ENCODE_OPTIONS, ...IMAGE_OPTIONS], {
    ...IMAGE_REPLACEMENTS,
    ...TEXT_REPLACEMENTS,
  });
}

/** Selects the options of texts. */
export function textOptions(options: BatchEncodeOptions): BatchEncodeOptions {
  return pick(options, BATCH_ENCODE_OPTIONS);
}

/** Selects the options of images. */
export function imageOptions(options: ImageProcessOptions): ImageProcessOptions {
  return pick(options, IMAGE_OPTIONS);
}

function pick<T extends object>(options: T, names: readonly (keyof T)[]): T {
  return Object.fromEntries(names.flatMap((name) => (name in options ? [[name, options[name]]] : []))) as T;
}
