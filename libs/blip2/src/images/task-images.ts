import {
  Blip2Error,
  defined,
  type ImageSource,
  mustBe,
  type PixelValues,
  type ProcessedInputs,
} from '@blip2/interfaces';
import { type Blip2Processor, expectFloatPixels, expectFloatSettings } from '@blip2/processor';

import type { QueueTurn } from '../lifetime/call-queue.ts';
import type { Blip2Pipeline, EncodeImagesOptions } from '../pipeline/blip2-pipeline.ts';
import { isEncoded, type KeptImage, type TaskImage } from './encoded-image.ts';

/** What a task needs to build prompts. */
export interface TaskTools {
  /** The language model, and the function that merges image embeddings into its prompts. */
  readonly pipeline: Pick<Blip2Pipeline, 'language' | 'embedPrompt'>;
  /** Tokenizer and image processor. */
  readonly processor: TaskProcessor;
  /** Waits for the turn of the call at the model, before each stage that uses it. Absent: calls are not queued. */
  readonly enter?: QueueTurn['enter'];
  /** Whether texts are generated together with those of other calls. */
  readonly isBatched?: boolean;
}

/** What tasks need of a processor, BLIP-2's or InstructBLIP's. Images and texts are processed separately. */
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

/** What a task needs to encode images and to build prompts. */
export interface ImageTools<Image extends KeptImage = KeptImage> extends TaskTools {
  /**
   * Encodes images as far as possible without a prompt: to their prefix for BLIP-2, to their patches for InstructBLIP.
   */
  encodePixels(pixelValues: PixelValues, options: EncodeImagesOptions): Promise<Image[]>;
}

/** How images are decoded and encoded. */
export interface ImageOptions {
  /** Rotate images upright by their EXIF orientation. Default: true. */
  readonly autoOrient?: boolean;
  /** Fetch images from http(s) URLs. Default: false. */
  readonly allowUrls?: boolean;
  /**
   * Accept images of another size than the vision encoder's, if the processor does not resize them. Default: false.
   */
  readonly interpolatePosEncoding?: boolean;
  /** Aborts between two stages and between two tokens. */
  readonly signal?: AbortSignal;
}

const IMAGE: Readonly<Record<keyof ImageOptions, true>> = {
  autoOrient: true,
  allowUrls: true,
  interpolatePosEncoding: true,
  signal: true,
};
/** Names of the options of image decoding and encoding. */
export const IMAGE_OPTIONS: readonly string[] = Object.keys(IMAGE);

/**
 * Checks the values of options of image decoding and encoding. A text such as `'false'` would count as true.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectImageOptions({ signal, ...flags }: ImageOptions): void {
  for (const name of ['autoOrient', 'allowUrls', 'interpolatePosEncoding'] as const) {
    const value: unknown = flags[name];
    if (value !== undefined && typeof value !== 'boolean') throw mustBe(name, 'true or false', value);
  }
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.throwIfAborted !== 'function')
    throw mustBe('signal', 'an AbortSignal', signal);
}

/** The encoded images of a task, and how long encoding took. */
export interface TaskImages<Image extends KeptImage = KeptImage> extends AsyncDisposable {
  readonly rows: readonly Image[];
  /** Milliseconds. */
  readonly preprocess: number;
  /** Milliseconds. */
  readonly encode: number;
}

/**
 * Encodes the images that are not encoded yet; one that occurs several times is encoded once. Disposal frees only what
 * was encoded here.
 * @throws Blip2Error `INVALID_CONFIG` if the image processor yields 8-bit pixel values.
 * @throws Blip2Error `INVALID_ARGUMENT` for an image that was encoded with another model.
 */
export async function encodeTaskImages<Image extends KeptImage>(
  { encodePixels, pipeline, processor, enter }: ImageTools<Image>,
  images: readonly TaskImage<Image>[],
  options: ImageOptions,
): Promise<TaskImages<Image>> {
  const { autoOrient = true, allowUrls = false, interpolatePosEncoding = false, signal } = options;
  const sources = [...new Set(images)].flatMap((image) => (isEncoded(image) ? [] : image));
  expectSameModel(pipeline, images);
  const begin = performance.now();
  if (sources.length === 0) return toTaskImages(images, new Map(), { preprocess: 0, encode: 0 });
  expectFloatSettings(processor.imageProcessor.settings);
  const { pixelValues } = await processor.process(
    { images: sources },
    { autoOrient, allowUrls, ...defined({ signal }) },
  );
  const preprocess = performance.now() - begin;
  signal?.throwIfAborted();
  await enter?.();
  const begunAt = performance.now();
  const encoded = await encodePixels(expectFloatPixels(pixelValues), {
    interpolatePosEncoding,
    ...defined({ signal }),
  });
  const bySource = new Map<TaskImage<Image>, Image>(
    sources.flatMap((source, index) => (encoded[index] ? [[source, encoded[index]]] : [])),
  );
  return toTaskImages(images, bySource, { preprocess, encode: performance.now() - begunAt });
}

function toTaskImages<Image extends KeptImage>(
  images: readonly TaskImage<Image>[],
  bySource: ReadonlyMap<TaskImage<Image>, Image>,
  times: Pick<TaskImages, 'preprocess' | 'encode'>,
): TaskImages<Image> {
  return {
    ...times,
    rows: images.flatMap((image) => (isEncoded(image) ? image : (bySource.get(image) ?? []))),
    async [Symbol.asyncDispose]() {
      for (const image of bySource.values()) await image[Symbol.asyncDispose]();
    },
  };
}

function expectSameModel({ language }: TaskTools['pipeline'], images: readonly TaskImage<KeptImage>[]): void {
  if (images.every((image) => !isEncoded(image) || image.batch.language === language)) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'image must be encoded with this model, not with another model', {
    argument: 'image',
    fix: 'Encode it with the model that runs the task',
  });
}
