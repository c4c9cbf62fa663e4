import { Blip2Error, type Decoding, type ImageSource, type LanguageModel, onesMask, pickRows } from '@blip2/interfaces';

import { lazyPromise } from '../lifetime/lazy-promise.ts';
import type { Blip2Pipeline } from '../pipeline/blip2-pipeline.ts';
import type { VisualPrefix } from '../pipeline/merge-prompt.ts';

/** Images that were encoded together. */
export interface ImageBatch extends AsyncDisposable {
  /** The model that the images were encoded for. */
  readonly language: LanguageModel;
  /**
   * The embeddings of these rows for the language model, `[rows, queries, embeddingSize]`. `texts` are their prompts,
   * which InstructBLIP also feeds to its Q-Former.
   */
  prefixOf(rows: readonly number[], texts: readonly string[] | undefined): Promise<VisualPrefix>;
  /** See `EncodedBatch`; `undefined` if the embeddings of an image depend on the prompt. */
  readonly readPrefix: (() => Promise<Decoding>) | undefined;
}

/** Images whose embeddings depend on nothing else, with the key-value cache of a causal language model. */
export interface EncodedBatch extends ImageBatch {
  /** `[images, queries, embeddingSize]`. */
  readonly prefix: VisualPrefix;
  /**
   * A decoding that has prefilled the image embeddings and nothing else, one row per image. Created on first use; fork
   * it before extending it. Causal models only.
   */
  readonly readPrefix: () => Promise<Decoding>;
}

/**
 * An image encoded as far as possible without a prompt. Every task accepts it in place of an image. Dispose of it to
 * free its memory.
 */
export interface KeptImage extends AsyncDisposable {
  /** The batch that it was encoded in; its memory is freed with the last of its images. */
  readonly batch: ImageBatch;
  /** Its row in the batch. */
  readonly row: number;
}

/**
 * An image that has passed vision encoder, Q-Former and projection. Every task accepts it in place of an image and then
 * runs no vision work for it. A causal model also keeps the key-value cache of its positions, from the first question
 * on. Dispose of it to free its memory.
 */
export interface EncodedImage extends KeptImage {
  /** `[1, queries, embeddingSize]`; `generate` and `forward` of the model accept it as `pixelValues`. */
  readonly prefix: VisualPrefix;
  /** The batch that it was encoded in; its memory is freed with the last of its images. */
  readonly batch: EncodedBatch;
}

/** An image as tasks accept it: a source, or an image that was encoded before. */
export type TaskImage<Image extends KeptImage = EncodedImage> = ImageSource | Image;

/** Whether an image was encoded before. */
export function isEncoded<Image extends KeptImage>(image: TaskImage<Image>): image is Image {
  return typeof image === 'object' && (image as object | null) !== null && 'batch' in image && 'row' in image;
}

/** One image per row of a prefix. Their shared memory is freed with the last of them. */
export function createEncodedImages(
  { language }: Pick<Blip2Pipeline, 'language'>,
  prefix: VisualPrefix,
): EncodedImage[] {
  const [count] = prefix.dims;
  return imagesOf(createBatch(language, prefix), count).map((image) => ({
    ...image,
    prefix: pickRows(prefix, [image.row]),
  }));
}

/** One image per row of a batch, which is disposed of with the last of them. */
export function imagesOf<Batch extends ImageBatch>(
  batch: Batch,
  count: number,
): (KeptImage & { readonly batch: Batch })[] {
  const alive = new Set(Array.from({ length: count }, (_, row) => row));
  return [...alive].map((row) => ({
    batch,
    row,
    async [Symbol.asyncDispose]() {
      alive.delete(row);
      if (alive.size === 0) await batch[Symbol.asyncDispose]();
    },
  }));
}

function createBatch(language: LanguageModel, prefix: VisualPrefix): EncodedBatch {
  let isDisposed = false;
  let started: Promise<Decoding> | undefined;
  const [images, queries] = prefix.dims;
  const attentionMask = onesMask(images, queries);
  const start = lazyPromise(() => (started = language.start({ inputsEmbeds: prefix, attentionMask })));
  return {
    language,
    prefix,
    prefixOf: async (rows) => pickRows(prefix, rows),
    async readPrefix() {
      if (isDisposed) throw imageDisposed();
      return start();
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
      const decoding = await started?.catch(() => undefined);
      await decoding?.[Symbol.asyncDispose]();
    },
  };
}

/** The error of an image that is used after its disposal. */
export function imageDisposed(): Blip2Error {
  return new Blip2Error('DISPOSED', 'This image has been disposed of', { fix: 'Encode it again' });
}
