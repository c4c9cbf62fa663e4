import { isJsonObject, type JsonFileRules, type JsonObject, readJsonFile } from '@blip2/files';
import { type ResolveOptions, resolveProcessorSource } from '@blip2/hub';
import { Blip2Error, type ImageSource, type RgbImage } from '@blip2/interfaces';

import { centerCrop } from './center-crop.ts';
import {
  IMAGE_PROCESSOR_DEFAULTS,
  type ImageProcessorOverrides,
  type ImageProcessorSettings,
  overrideSettings,
  settingsFromJson,
} from './image-processor-settings.ts';
import { decodeImage, type DecodeImageOptions } from './images/decode-image.ts';
import { type PixelTensor, toPixelValues } from './pixel-values.ts';
import { resize } from './resampling/resize.ts';
import { targetSize } from './target-size.ts';

export interface ImageProcessOptions extends ImageProcessorOverrides, DecodeImageOptions {}

/**
 * Turns images into the `pixelValues [batch, 3, height, width]` of a vision encoder: RGB, resized to the size, cropped
 * if that is wanted, times
 * 1/255, less the mean, over the deviation (the reference's `BlipImageProcessor`, Pillow's pixels).
 */
export interface BlipImageProcessor {
  readonly settings: ImageProcessorSettings;
  /** float32, or uint8 levels if neither rescaled nor normalised. Without resizing all images must be of one size. */
  process(
    images: ImageSource | readonly ImageSource[],
    options?: ImageProcessOptions,
  ): Promise<{ readonly pixelValues: PixelTensor }>;
}

const CONFIG_RULES: JsonFileRules = { code: 'INVALID_CONFIG', maxBytes: 1024 * 1024 };
/** Values of one batch: the limit of a typed array's bytes is far above, this is what a process can bear. */
const MAX_BATCH_VALUES: number = 2 ** 30;

async function fromPretrained(source: string, options: ResolveOptions = {}): Promise<BlipImageProcessor> {
  const folder = await resolveProcessorSource(source, options);
  const file = 'preprocessor_config.json';
  const nested = (await readJsonFile(folder, 'processor_config.json', CONFIG_RULES))?.['image_processor'];
  if (isJsonObject(nested)) return create(settingsFromJson(nested, 'processor_config.json'));
  const json = await readJsonFile(folder, file, CONFIG_RULES);
  if (!json) {
    throw new Blip2Error('MISSING_FILE', `No ${file}, and no image_processor in processor_config.json`, {
      where: source,
      fix: 'Copy the file from the repository of the checkpoint: sizes differ between checkpoints',
    });
  }
  return create(settingsFromJson(json, file));
}

function fromJson(json: JsonObject): BlipImageProcessor {
  return create(settingsFromJson(json, 'preprocessor_config.json'));
}

function create(settings: ImageProcessorSettings = IMAGE_PROCESSOR_DEFAULTS): BlipImageProcessor {
  return {
    settings,
    process: (images, options = {}) => processImages(isList(images) ? images : [images], settings, options),
  };
}

export const BlipImageProcessor: {
  /**
   * The image processor of a folder in the Hugging Face layout, or of a hub id, of which only the files of processor
   * and tokenizers are downloaded.
   * @throws Blip2Error `MISSING_FILE` without settings, `INVALID_CONFIG` for impossible ones; for hub ids as
   * `downloadModel`.
   */
  readonly fromPretrained: (source: string, options?: ResolveOptions) => Promise<BlipImageProcessor>;
  /**
   * Of a parsed `preprocessor_config.json`; absent fields have the class defaults. @throws Blip2Error `INVALID_CONFIG`.
   */
  readonly fromJson: (json: JsonObject) => BlipImageProcessor;
  /** Of settings, or with the class defaults. */
  readonly create: (settings?: ImageProcessorSettings) => BlipImageProcessor;
} = { fromPretrained, fromJson, create };

async function processImages(
  images: readonly ImageSource[],
  defaults: ImageProcessorSettings,
  options: ImageProcessOptions,
): Promise<{ readonly pixelValues: PixelTensor }> {
  if (images.length === 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'No image given', { where: 'images', expected: 'at least one' });
  const settings = overrideSettings(defaults, options);
  const resized = [];
  for (const image of images) {
    const rgb = await decodeImage(image, options);
    resized.push(cropped(settings.doResize ? resizeTo(rgb, settings) : rgb, settings));
  }
  checkOneSize(resized.map(({ dims }) => dims));
  return { pixelValues: toPixelValues(resized, settings) };
}

function resizeTo(image: RgbImage, { size, resample }: ImageProcessorSettings): RgbImage {
  const { height, width } = targetSize(image.dims[0], image.dims[1], size);
  return resize(image, height, width, resample);
}

function cropped(image: RgbImage, { doCenterCrop, cropSize }: ImageProcessorSettings): RgbImage {
  return doCenterCrop && cropSize ? centerCrop(image, cropSize) : image;
}

function checkOneSize(sizes: readonly (readonly number[])[]): void {
  const [first = []] = sizes;
  const other = sizes.find((size) => size[0] !== first[0] || size[1] !== first[1]);
  if (other) {
    throw new Blip2Error('SHAPE_MISMATCH', 'Images of different sizes cannot form a batch', {
      expected: `${first[0]} x ${first[1]}`,
      got: `${other[0]} x ${other[1]}`,
      fix: 'Leave doResize on, give height and width or a crop, or process them one by one',
    });
  }
  const values = sizes.length * first.reduce((product, side) => product * side, 1);
  if (values > MAX_BATCH_VALUES) {
    throw new Blip2Error('IMAGE_TOO_LARGE', 'The batch has too many values', {
      expected: `at most ${MAX_BATCH_VALUES}`,
      got: String(values),
      fix: 'Process fewer or smaller images at a time',
    });
  }
}

function isList(images: ImageSource | readonly ImageSource[]): images is readonly ImageSource[] {
  return Array.isArray(images);
}
