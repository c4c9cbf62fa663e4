import type { JsonObject } from '@blip2/files';
import type { ResolveOptions } from '@blip2/hub';
import { Blip2Error, type ImageSource } from '@blip2/interfaces';

import {
  IMAGE_PROCESSOR_DEFAULTS,
  type ImageProcessorSettings,
  overrideSettings,
  settingsFromJson,
} from './image-processor-settings.ts';
import { createPixelBatch, type PixelTensor } from './pixel-values.ts';
import { checkImageOptions, type ImageProcessOptions } from './process-options.ts';
import { processorFolder } from './processor-folder.ts';
import { PREPROCESSOR_FILE, PROCESSOR_FILE, readImageSettings } from './read-image-settings.ts';
import { forEachInParallel } from './threads/for-each-in-parallel.ts';
import { sharedImagePool } from './threads/image-pool.ts';
import { runImageTask } from './threads/run-image-task.ts';
import { checkLoadOptions } from './tokenizer/check-arguments.ts';

/**
 * An image processor: converts images to the `pixelValues` `[batch, 3, height, width]` of a vision encoder.
 *
 * 1. Decode to 8-bit RGB values.
 * 2. Resize to `size` with the filter `resample`, equal to Pillow bit for bit.
 * 3. Center-crop to `cropSize`, if `doCenterCrop` is set.
 * 4. Rescale: multiply by `rescaleFactor`, by default 1/255.
 * 5. Normalise: subtract `imageMean` and divide by `imageStd`, per channel.
 *
 * Steps 2, 4 and 5 can be disabled. Source: `BlipImageProcessor` of Hugging Face Transformers (HF) with Pillow.
 */
export interface BlipImageProcessor {
  readonly settings: ImageProcessorSettings;
  /**
   * Processes one image or a batch. Returns float32, or uint8 pixel values (0-255) if both rescaling and normalising
   * are disabled. Without resizing, all images must have the same size.
   * @throws Blip2Error `INVALID_ARGUMENT` for invalid options and an empty list; `UNKNOWN_OPTION` for options that do
   * not exist; `SHAPE_MISMATCH` if the sizes differ; `IMAGE_TOO_LARGE`, `UNSUPPORTED_IMAGE`, `INVALID_IMAGE`,
   * `MISSING_FILE` and `WORKER_FAILED` as `decodeImage` does.
   */
  process(
    images: ImageSource | readonly ImageSource[],
    options?: ImageProcessOptions,
  ): Promise<{ readonly pixelValues: PixelTensor }>;
}

async function fromPretrained(source: string, options: ResolveOptions = {}): Promise<BlipImageProcessor> {
  checkLoadOptions('BlipImageProcessor', options);
  const found = await readImageSettings(await processorFolder(source, options));
  if (found) return create(settingsFromJson(found.json, found.file));
  throw new Blip2Error(
    'MISSING_FILE',
    `There is neither ${PREPROCESSOR_FILE} nor image_processor in ${PROCESSOR_FILE}`,
    {
      where: source,
      fix: 'Copy the file from the repository of the checkpoint, because image sizes differ between checkpoints',
    },
  );
}

function fromJson(json: JsonObject): BlipImageProcessor {
  return create(settingsFromJson(json, 'preprocessor_config.json'));
}

function create(settings: ImageProcessorSettings = IMAGE_PROCESSOR_DEFAULTS): BlipImageProcessor {
  return {
    settings,
    async process(images, options = {}) {
      checkImageOptions(options);
      return processImages(isList(images) ? images : [images], settings, options);
    },
  };
}

/** Creates image processors. */
export const BlipImageProcessor: {
  /**
   * Loads from a folder in the Hugging Face layout, or from a Hub repository id. In the latter case only the files of
   * the processor and its tokenizers are downloaded.
   * @throws Blip2Error `MISSING_FILE` without settings; `INVALID_CONFIG` for invalid ones; for repository ids the codes
   * of `downloadModel`.
   */
  readonly fromPretrained: (source: string, options?: ResolveOptions) => Promise<BlipImageProcessor>;
  /**
   * Creates an image processor from a parsed `preprocessor_config.json`; absent fields have the class defaults.
   * @throws Blip2Error `INVALID_CONFIG` for invalid values.
   */
  readonly fromJson: (json: JsonObject) => BlipImageProcessor;
  /** Creates an image processor with the given settings, by default those of the class. */
  readonly create: (settings?: ImageProcessorSettings) => BlipImageProcessor;
} = { fromPretrained, fromJson, create };

async function processImages(
  images: readonly ImageSource[],
  defaults: ImageProcessorSettings,
  options: ImageProcessOptions,
): Promise<{ readonly pixelValues: PixelTensor }> {
  if (images.length === 0)
    throw new Blip2Error('INVALID_ARGUMENT', { argument: 'images', expected: 'at least one image', got: 'none' });
  const settings = overrideSettings(defaults, options);
  const batch = createPixelBatch(images.length, settings);
  const pool = sharedImagePool();
  await forEachInParallel(images, pool.concurrency, async (source, index) => {
    const { image } = await runImageTask(source, settings, options, pool);
    batch.set(index, image);
  });
  return { pixelValues: batch.finish() };
}

function isList(images: ImageSource | readonly ImageSource[]): images is readonly ImageSource[] {
  return Array.isArray(images);
}
