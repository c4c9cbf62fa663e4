import { Blip2Error } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';
import type { Blip2Pipeline } from '../pipeline.ts';
import { createEncodedImages, isEncoded, type EncodedImage, type TaskImage } from './encoded-image.ts';

/** What every task works with. */
export interface TaskTools {
  readonly pipeline: Blip2Pipeline;
  readonly processor: Blip2Processor;
}

/** How pictures are read. */
export interface ImageOptions {
  /** Turn pictures upright by their EXIF orientation. Default true. */
  readonly autoOrient?: boolean;
  /** Fetch pictures from http(s) URLs. Default false. */
  readonly allowUrls?: boolean;
  /** Accept pictures of another size than the vision encoder's, where the processor leaves them so. Default false. */
  readonly interpolatePosEncoding?: boolean;
  /** Stops between two stages, and between two tokens. */
  readonly signal?: AbortSignal;
}

/** The pictures of a task, each encoded, and how long that took. */
export interface TaskImages extends AsyncDisposable {
  readonly rows: readonly EncodedImage[];
  /** Milliseconds. */
  readonly preprocess: number;
  readonly encode: number;
}

/** Encodes the pictures that are not yet encoded, those that occur several times once. Disposing gives back what was encoded here, nothing else. */
export async function encodeTaskImages({ pipeline, processor }: TaskTools, images: readonly TaskImage[], options: ImageOptions): Promise<TaskImages> {
  const { autoOrient = true, allowUrls = false, interpolatePosEncoding = false, signal } = options;
  const sources = [...new Set(images)].flatMap((image) => (isEncoded(image) ? [] : image));
  expectOwn(pipeline, images);
  const begin = performance.now();
  if (sources.length === 0) return toTaskImages(images, new Map(), { preprocess: 0, encode: 0 });
  expectFloats(processor);
  const { pixelValues } = await processor.process({ images: sources }, { autoOrient, allowUrls, ...(signal && { signal }) });
  const preprocess = performance.now() - begin;
  signal?.throwIfAborted();
  const encoded = createEncodedImages(pipeline, await pipeline.encodeImages(pixelValues, { interpolatePosEncoding }));
  const made = new Map<TaskImage, EncodedImage>(sources.flatMap((source, index) => (encoded[index] ? [[source, encoded[index]]] : [])));
  return toTaskImages(images, made, { preprocess, encode: performance.now() - begin - preprocess });
}

function toTaskImages(images: readonly TaskImage[], made: ReadonlyMap<TaskImage, EncodedImage>, times: Pick<TaskImages, 'preprocess' | 'encode'>): TaskImages {
  return {
    ...times,
    rows: images.flatMap((image) => (isEncoded(image) ? image : (made.get(image) ?? []))),
    async [Symbol.asyncDispose]() {
      for (const image of made.values()) await image[Symbol.asyncDispose]();
    },
  };
}

function expectOwn({ language }: Blip2Pipeline, images: readonly TaskImage[]): void {
  if (images.every((image) => !isEncoded(image) || image.batch.language === language)) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'This picture was encoded for another model', { where: 'image', fix: 'Encode it with the model that is asked' });
}

/** @throws Blip2Error `INVALID_CONFIG` if pictures would reach the model as levels. */
export function expectFloats({ imageProcessor: { settings } }: Blip2Processor): void {
  if (settings.doRescale || settings.doNormalize) return;
  throw new Blip2Error('INVALID_CONFIG', 'The image processor neither rescales nor normalises', { where: 'preprocessor_config.json', expected: 'do_rescale or do_normalize' });
}
