import { Blip2Error, type ImageSource, type PixelValues, type ProcessedInputs } from '@blip2/interfaces';
import { type Blip2Processor, expectFloatPixels, expectFloatSettings } from '@blip2/processor';

import type { Blip2Pipeline, EncodeImagesOptions } from '../pipeline.ts';
import { isEncoded, type KeptImage, type TaskImage } from './encoded-image.ts';

/** What every prompt is made with. */
export interface TaskTools {
  /** The language model, and what puts images into its prompts. */
  readonly pipeline: Pick<Blip2Pipeline, 'language' | 'embedPrompt'>;
  /** Tokenizer and image processor. */
  readonly processor: TaskProcessor;
}

/** What tasks need of a processor, BLIP-2's or InstructBLIP's. Images and texts are processed apart. */
export interface TaskProcessor extends Pick<
  Blip2Processor,
  'tokenizer' | 'imageProcessor' | 'numQueryTokens' | 'imageTokenId' | 'decode'
> {
  /** Images to `pixelValues`, `[images, 3, height, width]`. */
  process(
    inputs: { readonly images: readonly ImageSource[] },
    options: Pick<ImageOptions, 'autoOrient' | 'allowUrls' | 'signal'>,
  ): Promise<ProcessedInputs>;
}

/** What tasks work with that read images. */
export interface ReadingTools<Image extends KeptImage = KeptImage> extends TaskTools {
  /** Encodes images as far as is possible without a text: BLIP-2's to their prefix, InstructBLIP's to their patches. */
  keep(pixelValues: PixelValues, options: EncodeImagesOptions): Promise<Image[]>;
}

/** How images are read. */
export interface ImageOptions {
  /** Turn images upright by their EXIF orientation. Default true. */
  readonly autoOrient?: boolean;
  /** Fetch images from http(s) URLs. Default false. */
  readonly allowUrls?: boolean;
  /** Accept images of another size than the vision encoder's, where the processor leaves them so. Default false. */
  readonly interpolatePosEncoding?: boolean;
  /** Stops between two stages, and between two tokens. */
  readonly signal?: AbortSignal;
}

/** The images of a task, each encoded, and how long that took. */
export interface TaskImages<Image extends KeptImage = KeptImage> extends AsyncDisposable {
  readonly rows: readonly Image[];
  /** Milliseconds. */
  readonly preprocess: number;
  readonly encode: number;
}

/**
 * Encodes the images that are not yet encoded, those that occur several times once. Disposing gives back what was
 * encoded here, nothing else.
 */
export async function encodeTaskImages<Image extends KeptImage>(
  { keep, pipeline, processor }: ReadingTools<Image>,
  images: readonly TaskImage<Image>[],
  options: ImageOptions,
): Promise<TaskImages<Image>> {
  const { autoOrient = true, allowUrls = false, interpolatePosEncoding = false, signal } = options;
  const sources = [...new Set(images)].flatMap((image) => (isEncoded(image) ? [] : image));
  expectOwn(pipeline, images);
  const begin = performance.now();
  if (sources.length === 0) return toTaskImages(images, new Map(), { preprocess: 0, encode: 0 });
  expectFloatSettings(processor.imageProcessor.settings);
  const { pixelValues } = await processor.process(
    { images: sources },
    { autoOrient, allowUrls, ...(signal && { signal }) },
  );
  const preprocess = performance.now() - begin;
  signal?.throwIfAborted();
  const encoded = await keep(expectFloatPixels(pixelValues), { interpolatePosEncoding });
  const made = new Map<TaskImage<Image>, Image>(
    sources.flatMap((source, index) => (encoded[index] ? [[source, encoded[index]]] : [])),
  );
  return toTaskImages(images, made, { preprocess, encode: performance.now() - begin - preprocess });
}

function toTaskImages<Image extends KeptImage>(
  images: readonly TaskImage<Image>[],
  made: ReadonlyMap<TaskImage<Image>, Image>,
  times: Pick<TaskImages, 'preprocess' | 'encode'>,
): TaskImages<Image> {
  return {
    ...times,
    rows: images.flatMap((image) => (isEncoded(image) ? image : (made.get(image) ?? []))),
    async [Symbol.asyncDispose]() {
      for (const image of made.values()) await image[Symbol.asyncDispose]();
    },
  };
}

function expectOwn({ language }: TaskTools['pipeline'], images: readonly TaskImage<KeptImage>[]): void {
  if (images.every((image) => !isEncoded(image) || image.batch.language === language)) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'This image was encoded for another model', {
    where: 'image',
    fix: 'Encode it with the model that is asked',
  });
}
