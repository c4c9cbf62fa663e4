import { ApiError } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import type { PageImage } from './image-files.ts';

/** Images of one request: few enough for the limits of most servers. */
const BATCH_IMAGES = 8;
/** Bytes of the images of one request; base64 adds a third, and servers accept 20 MB. */
const BATCH_BYTES = 6_000_000;
/** Seconds to wait for a busy server that does not say how long. */
const DEFAULT_WAIT_S = 1;
const SECOND_MS = 1000;

/** Errors of an image or of the size of a request, not of the server. */
const IMAGE_CODES = new Set([
  'INVALID_IMAGE',
  'UNSUPPORTED_IMAGE',
  'IMAGE_TOO_LARGE',
  'BODY_TOO_LARGE',
  'INVALID_ARGUMENT',
]);

/** The features of images, computed once per model. */
export interface ImageFeatures {
  /**
   * Computes what is missing, in batches. Images that the server refuses are recorded in `failures`, so that one
   * damaged file does not end the work; a busy server is asked again.
   */
  compute(
    model: string,
    images: readonly PageImage[],
    options: { readonly signal: AbortSignal; readonly onProgress: (done: number, total: number) => void },
  ): Promise<void>;
  vector(model: string, image: PageImage): Float32Array | undefined;
  failure(model: string, image: PageImage): ApiError | undefined;
}

export function createImageFeatures(client: Pick<ApiClient, 'embed'>): ImageFeatures {
  const results = new Map<string, WeakMap<PageImage, Float32Array | ApiError>>();
  const ofModel = (model: string): WeakMap<PageImage, Float32Array | ApiError> => {
    const known = results.get(model) ?? new WeakMap<PageImage, Float32Array | ApiError>();
    results.set(model, known);
    return known;
  };
  return {
    async compute(model, images, { signal, onProgress }) {
      const known = ofModel(model);
      const missing = images.filter((image) => !known.has(image));
      const batches = batchesOf(missing);
      let done = images.length - missing.length;
      onProgress(done, images.length);
      for (let batch = batches.shift(); batch; batch = batches.shift()) {
        try {
          const vectors = await client.embed(
            model,
            batch.map(({ file }) => file),
            signal,
          );
          for (const [index, image] of batch.entries()) known.set(image, vectors[index] ?? new Float32Array());
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          if (error.code === 'QUEUE_FULL') {
            await pause((error.retryAfter ?? DEFAULT_WAIT_S) * SECOND_MS, signal);
            batches.unshift(batch);
            continue;
          }
          if (!IMAGE_CODES.has(error.code)) throw error;
          const [only, ...others] = batch;
          if (only && others.length > 0) {
            const middle = Math.ceil(batch.length / 2);
            batches.unshift(batch.slice(0, middle), batch.slice(middle));
            continue;
          }
          if (only) known.set(only, error);
        }
        done += batch.length;
        onProgress(done, images.length);
      }
    },
    vector(model, image) {
      const result = results.get(model)?.get(image);
      return result instanceof Float32Array ? result : undefined;
    },
    failure(model, image) {
      const result = results.get(model)?.get(image);
      return result instanceof ApiError ? result : undefined;
    },
  };
}

/** Consecutive images in batches of limited number and size. */
export function batchesOf(images: readonly PageImage[]): (readonly PageImage[])[] {
  const batches: PageImage[][] = [];
  let bytes = Infinity;
  for (const image of images) {
    const last = batches.at(-1);
    if (!last || last.length === BATCH_IMAGES || bytes + image.file.size > BATCH_BYTES) {
      batches.push([image]);
      bytes = image.file.size;
    } else {
      last.push(image);
      bytes += image.file.size;
    }
  }
  return batches;
}

/** The scalar product of two vectors; of length 1 each, their cosine. */
export function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      },
      { once: true },
    );
  });
}
