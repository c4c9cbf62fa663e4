import { defined, pickRows, type PixelValues, stackRows, type Tensor, unlessAborted } from '@blip2/interfaces';

import { isWorkerFailure } from '../images/worker-failure.ts';
import type { EncodeImagesOptions } from '../pipeline/blip2-pipeline.ts';

/** One row per image. */
export type ImageFeatures = Tensor<'float32', readonly [images: number, positions: number, width: number]>;

/** Encodes images `[images, 3, height, width]` to `[images, positions, width]`. */
export type EncodeImages<Features extends ImageFeatures> = (
  pixelValues: PixelValues,
  options: EncodeImagesOptions,
) => Promise<Features>;

/** What has been encoded and what waits. */
export interface EncoderStatus {
  readonly waiting: number;
  readonly batches: number;
  readonly images: number;
}

interface WaitingImages<Features> {
  readonly pixelValues: PixelValues;
  readonly interpolate: boolean;
  readonly signal: AbortSignal | undefined;
  resolve(features: Features): void;
  reject(error: unknown): void;
}

/**
 * Encodes the images that are waiting together, at most `maxImages` of the same size at a time, in order. Images that
 * arrive meanwhile form the next batch; nothing waits for more to come. A batch that fails is encoded image by image,
 * so that one image does not fail the others.
 */
export function createEncoderBatches<Features extends ImageFeatures>(
  encode: EncodeImages<Features>,
  maxImages: number,
): { readonly encode: EncodeImages<Features>; readonly status: EncoderStatus } {
  const waiting: WaitingImages<Features>[] = [];
  const count = { batches: 0, images: 0 };
  let isRunning = false;

  /** Removes the calls of the next batch from those that wait. */
  function take(): WaitingImages<Features>[] {
    const first = waiting.shift();
    if (!first) return [];
    const taken = [first];
    let images = first.pixelValues.dims[0];
    for (let next = waiting[0]; next; next = waiting[0]) {
      images += next.pixelValues.dims[0];
      if (images > maxImages || !isAlike(first, next)) break;
      taken.push(next);
      waiting.shift();
    }
    return taken;
  }

  async function encodeEach(calls: readonly WaitingImages<Features>[]): Promise<void> {
    for (const { pixelValues, interpolate, signal, resolve, reject } of calls) {
      const options = { interpolatePosEncoding: interpolate, ...defined({ signal }) };
      await encode(pixelValues, options).then(resolve, reject);
    }
  }

  async function encodeTogether(calls: readonly WaitingImages<Features>[]): Promise<void> {
    const [first, ...others] = calls;
    if (!first) return;
    if (others.length === 0) return encodeEach(calls);
    try {
      const pixels = stackRows([first.pixelValues, ...others.map(({ pixelValues }) => pixelValues)]);
      const features = await encode(pixels, { interpolatePosEncoding: first.interpolate });
      let row = 0;
      for (const { pixelValues, resolve } of calls) {
        const rows = Array.from({ length: pixelValues.dims[0] }, () => row++);
        resolve(pickRows(features, rows));
      }
    } catch (error) {
      if (!isWorkerFailure(error)) return encodeEach(calls);
      for (const { reject } of calls) reject(error);
    }
  }

  async function run(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    for (let calls = take(); calls.length > 0; calls = take()) {
      const alive = calls.filter(({ signal }) => signal?.aborted !== true);
      count.batches += alive.length > 0 ? 1 : 0;
      count.images += alive.reduce((sum, { pixelValues }) => sum + pixelValues.dims[0], 0);
      await encodeTogether(alive);
    }
    isRunning = false;
  }

  return {
    status: {
      get waiting() {
        return waiting.length;
      },
      get batches() {
        return count.batches;
      },
      get images() {
        return count.images;
      },
    },
    encode: (pixelValues, { interpolatePosEncoding: interpolate = false, signal }) =>
      unlessAborted(
        new Promise((resolve, reject) => {
          waiting.push({ pixelValues, interpolate, signal, resolve, reject });
          void run();
        }),
        signal,
      ),
  };
}

function isAlike(
  { pixelValues: { dims }, interpolate }: WaitingImages<unknown>,
  other: WaitingImages<unknown>,
): boolean {
  return interpolate === other.interpolate && dims.slice(1).join() === other.pixelValues.dims.slice(1).join();
}
