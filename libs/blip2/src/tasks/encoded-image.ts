import { Blip2Error, type Decoding, type ImageSource, type LanguageModel } from '@blip2/interfaces';
import { once } from '../once.ts';
import type { Blip2Pipeline, VisualPrefix } from '../pipeline.ts';

/** Pictures that were encoded together, and what a causal language model remembers of them. */
export interface EncodedBatch extends AsyncDisposable {
  /** The model whose prefix this is. */
  readonly language: LanguageModel;
  /** `[images, queries, embeddingSize]`. */
  readonly prefix: VisualPrefix;
  /** A decoding that has read the prefixes and nothing else, one row per picture. Made once, when it is first asked for; fork it to go on. Causal models only. */
  readPrefix(): Promise<Decoding>;
}

/**
 * A picture that has been through vision encoder, Q-Former and projection: the tasks take it wherever they take a picture, and spend no more vision work on
 * it. Of a causal model the key-value cache of its positions is kept too, from the first question on. Dispose of it to give the memory back.
 */
export interface EncodedImage extends AsyncDisposable {
  /** `[1, queries, embeddingSize]`; `generate` and `forward` of the model take it as `pixelValues`. */
  readonly prefix: VisualPrefix;
  readonly batch: EncodedBatch;
  /** Its row in the batch. */
  readonly row: number;
}

/** What a task takes for a picture. */
export type TaskImage = ImageSource | EncodedImage;

export function isEncoded(image: TaskImage): image is EncodedImage {
  return typeof image === 'object' && 'prefix' in image && 'batch' in image;
}

/** One picture per row of a prefix. They share their memory, which is given back when all of them have been disposed of. */
export function createEncodedImages({ language }: Blip2Pipeline, prefix: VisualPrefix): EncodedImage[] {
  const [count] = prefix.dims;
  const batch = createBatch(language, prefix);
  const alive = new Set(Array.from({ length: count }, (_, row) => row));
  return [...alive].map((row) => ({
    prefix: pickRows(prefix, [row]),
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
    async readPrefix() {
      if (isDisposed) throw new Blip2Error('DISPOSED', 'This picture has been disposed of', { fix: 'Encode it again' });
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
export function pickRows({ dims: [, queries, size], data }: VisualPrefix, picked: readonly number[]): VisualPrefix {
  const length = queries * size;
  const rows = new Float32Array(picked.length * length);
  picked.forEach((from, row) => rows.set(data.subarray(from * length, (from + 1) * length), row * length));
  return { type: 'float32', dims: [picked.length, queries, size], data: rows };
}
