import { batchDecodings, type BatchStatus } from '@blip2/generate';
import { defined, type LanguageModel } from '@blip2/interfaces';

import type { KeptImage } from '../images/encoded-image.ts';
import { onlyResult } from '../images/image-list.ts';
import type { ImageTools } from '../images/task-images.ts';
import type { EncodeImagesOptions } from '../pipeline/blip2-pipeline.ts';
import type { BatchingSettings } from './batching-options.ts';
import { createEncoderBatches, type EncodeImages, type EncoderStatus, type ImageFeatures } from './encoder-batches.ts';
import { createImageCache, type ImageCacheStatus } from './image-cache.ts';

/** What the calls of a model share, now. */
export interface BatchingStatus {
  readonly decoding: BatchStatus;
  readonly encoding: EncoderStatus;
  readonly imageCache: ImageCacheStatus;
}

/** How a model encodes images. */
export interface ImageStages<Features extends ImageFeatures, Image extends KeptImage> {
  readonly encode: EncodeImages<Features>;
  /** One image per row of features, for prompts of this language model. */
  keep(features: Features, language: LanguageModel): Image[];
}

/** A model as its tasks use it. */
export interface SharedModel<Image extends KeptImage> extends Pick<ImageTools<Image>, 'encodePixels'> {
  readonly language: LanguageModel;
  /** `undefined` if calls are not batched. */
  readonly status: BatchingStatus | undefined;
  /** Forgets the images that were encoded before. */
  clear(): Promise<void>;
}

/** Lets the calls of a model share its work, if there are settings. */
export function shareModel<Features extends ImageFeatures, Image extends KeptImage>(
  language: LanguageModel,
  { encode, keep }: ImageStages<Features, Image>,
  settings: BatchingSettings | undefined,
): SharedModel<Image> {
  if (!settings) {
    return {
      language,
      status: undefined,
      encodePixels: async (pixelValues, options) => keep(await encode(pixelValues, options), language),
      clear: async () => undefined,
    };
  }
  const batched = batchDecodings(language, { maxRows: settings.maxRows });
  const encoder = createEncoderBatches(encode, settings.maxImages);
  const cache = createImageCache<Image>(settings.imageCacheBytes);
  const isCached = settings.imageCacheBytes > 0;
  const encodePixels: ImageTools<Image>['encodePixels'] = async (pixelValues, { signal, ...options }) => {
    const run = async (more: EncodeImagesOptions): Promise<Image[]> =>
      keep(await encoder.encode(pixelValues, { ...options, ...more }), batched);
    // Lists are images of one call, which are encoded once anyway.
    if (!isCached || pixelValues.dims[0] !== 1) return run(defined({ signal }));
    const variant = options.interpolatePosEncoding === true ? 'interpolated' : '';
    // Not aborted with the call: others may wait for the same image.
    const encodeOne = async (): Promise<Image> => onlyResult(await run({}));
    return [await cache.get({ pixelValues, variant, signal }, encodeOne)];
  };
  return {
    language: batched,
    status: { decoding: batched.status, encoding: encoder.status, imageCache: cache.status },
    encodePixels,
    clear: () => cache.clear(),
  };
}
