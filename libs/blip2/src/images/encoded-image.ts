import { Blip2Error, type Decoding, type ImageSource, type LanguageModel, onesMask, pickRows } from '@blip2/interfaces';

import { createPromptStates, type PromptStates } from '../batching/prompt-states.ts';
import { lazyPromise } from '../lifetime/lazy-promise.ts';
import type { Blip2Pipeline } from '../pipeline/blip2-pipeline.ts';
import { expectPromptsFit } from '../pipeline/expect-fit.ts';
import type { VisualPrefix } from '../pipeline/merge-prompt.ts';
import { isWorkerFailure } from './worker-failure.ts';

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
  readonly readPrefix: ((options?: ReadPrefixOptions) => Promise<Decoding>) | undefined;
  /** Prompts that continue these images, if they can be kept. */
  readonly states?: PromptStates;
  /** Bytes of the embeddings, and of the key-value caches that are kept with them. */
  readonly byteLength: number;
}

/** How a batch prefills its image embeddings. */
export interface ReadPrefixOptions {
  /** A decoding that was lost with its worker: the embeddings are prefilled again. */
  readonly lost?: Decoding;
}

/** Images whose embeddings depend on nothing else, with the key-value cache of a causal language model. */
export interface EncodedBatch extends ImageBatch {
  /** `[images, queries, embeddingSize]`. */
  readonly prefix: VisualPrefix;
  /**
   * A decoding that has prefilled the image embeddings and nothing else, one row per image. Created on first use; fork
   * it before extending it. Causal models only.
   */
  readonly readPrefix: (options?: ReadPrefixOptions) => Promise<Decoding>;
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
  const newStart = (): (() => Promise<Decoding>) =>
    lazyPromise(() => (started = language.start({ inputsEmbeds: prefix, attentionMask })));
  let start = newStart();
  let current: Decoding | undefined;
  const states = createPromptStates();
  return {
    language,
    prefix,
    states,
    get byteLength() {
      return prefix.data.byteLength + (current?.byteLength ?? 0) + states.byteLength;
    },
    prefixOf: async (rows) => pickRows(prefix, rows),
    async readPrefix({ lost } = {}) {
      if (isDisposed) throw imageDisposed();
      expectPromptsFit({ projection: { outFeatures: prefix.dims[2] }, language });
      if (lost && lost === current) {
        start = newStart();
        current = undefined;
      }
      return (current = await start());
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
      await states[Symbol.asyncDispose]();
      const decoding = await started?.catch(() => undefined);
      await decoding?.[Symbol.asyncDispose]();
    },
  };
}

/**
 * A fork of the prefix of a batch. It is prefilled again if it was lost together with the worker of the language model.
 */
export async function forkPrefix(readPrefix: EncodedBatch['readPrefix']): Promise<Decoding> {
  const prefix = await readPrefix();
  try {
    return await prefix.fork();
  } catch (error) {
    if (!isWorkerFailure(error)) throw error;
    return (await readPrefix({ lost: prefix })).fork();
  }
}

/** The error of an image that is used after its disposal. */
export function imageDisposed(): Blip2Error {
  return new Blip2Error('DISPOSED', 'This image has been disposed of', { fix: 'Encode it again' });
}
