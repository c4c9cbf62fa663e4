import { Blip2Error, type Decoding, type ImageSource, type LanguageModel } from '@blip2/interfaces';

import { once } from '../lifetime/lazy-promise.ts';
import type { Blip2Pipeline, VisualPrefix } from '../pipeline/blip2-pipeline.ts';

/** Images that were encoded together. */
export interface ImageBatch extends AsyncDisposable {
  /** The model that is to read them. */
  readonly language: LanguageModel;
  /**
   * What the language model reads of these rows, `[rows, queries, embeddingSize]`. `texts` are the prompts beside them,
   * which the Q-Former of InstructBLIP reads too.
   */
  prefixOf(rows: readonly number[], texts: readonly string[] | undefined): Promise<VisualPrefix>;
  /** See `EncodedBatch`; `undefined` where what is read of an image depends on the text beside it. */
  readonly readPrefix: (() => Promise<Decoding>) | undefined;
}

/** Images whose prefix depends on nothing else, and what a causal language model remembers of them. */
export interface EncodedBatch extends ImageBatch {
  /** `[images, queries, embeddingSize]`. */
  readonly prefix: VisualPrefix;
  /**
   * A decoding that has read the prefixes and nothing else, one row per image. Made once, when it is first asked for;
   * fork it to go on. Causal models only.
   */
  readonly readPrefix: () => Promise<Decoding>;
}

/**
 * An image that has been encoded as far as is possible without a text: the tasks take it wherever they take an image.
 * Dispose of it to give its memory back.
 */
export interface KeptImage extends AsyncDisposable {
  /** With which it was encoded; its memory is given back with the last of them. */
  readonly batch: ImageBatch;
  /** Its row in the batch. */
  readonly row: number;
}

/**
 * An image that has been through vision encoder, Q-Former and projection: the tasks take it wherever they take an
 * image, and spend no more vision work on
 * it. Of a causal model the key-value cache of its positions is kept too, from the first question on. Dispose of it to
 * give the memory back.
 */
export interface EncodedImage extends KeptImage {
  /** `[1, queries, embeddingSize]`; `generate` and `forward` of the model take it as `pixelValues`. */
  readonly prefix: VisualPrefix;
  /** With which it was encoded; its memory is given back with the last of them. */
  readonly batch: EncodedBatch;
}

/** What a task takes for an image. */
export type TaskImage<Image extends KeptImage = EncodedImage> = ImageSource | Image;

export function isEncoded<Image extends KeptImage>(image: TaskImage<Image>): image is Image {
  return typeof image === 'object' && 'batch' in image && 'row' in image;
}

/**
 * One image per row of a prefix. They share their memory, which is given back when all of them have been disposed of.
 */
export function createEncodedImages(
  { language }: Pick<Blip2Pipeline, 'language'>,
  prefix: VisualPrefix,
): EncodedImage[] {
  const [count] = prefix.dims;
  return keepRows(createBatch(language, prefix), count).map((image) => ({
    ...image,
    prefix: pickRows(prefix, [image.row]),
  }));
}

/** The rows of a batch as images; it is disposed of with the last of them. */
export function keepRows<Batch extends ImageBatch>(
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
  const attentionMask = Array.from({ length: images }, () => new Array<number>(queries).fill(1));
  const start = once(() => (started = language.start({ inputsEmbeds: prefix, attentionMask })));
  return {
    language,
    prefix,
    prefixOf: async (rows) => pickRows(prefix, rows),
    async readPrefix() {
      if (isDisposed) throw new Blip2Error('DISPOSED', 'This image has been disposed of', { fix: 'Encode it again' });
      return start();
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
      const decoding = await started?.catch(() => undefined);
      await decoding?.[Symbol.asyncDispose]();
    },
  };
}

/** Copies of rows, in this order. */
export function pickRows({ dims: [, positions, size], data }: VisualPrefix, picked: readonly number[]): VisualPrefix {
  const length = positions * size;
  const rows = new Float32Array(picked.length * length);
  picked.forEach((from, row) => rows.set(data.subarray(from * length, (from + 1) * length), row * length));
  return { type: 'float32', dims: [picked.length, positions, size], data: rows };
}
