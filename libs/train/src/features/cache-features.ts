import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { computeFeatures, type EncodeImages, type FeatureStoreOptions, openFeatureStore } from '@blip2/features';
import {
  Blip2Error,
  expectFinite,
  messageOf,
  type PatchFeatures,
  pickRows,
  type VisionEncoder,
} from '@blip2/interfaces';
import { type BlipImageProcessor, expectFloatPixels } from '@blip2/processor';

import type { ExampleProblem, TrainingExample } from '../examples/training-example.ts';

/** Images that are decoded and encoded together. */
const BATCH = 16;

/** What encodes images. */
export interface ImageEncoder {
  /** Opens the encoder. Not called if no image has to be encoded. */
  vision(): Promise<Pick<VisionEncoder, 'encode'>>;
  readonly processor: Pick<BlipImageProcessor, 'process'>;
}

/** Options of `cacheFeatures`. */
export interface CacheOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of examples whose image has features. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Examples with features. */
export interface CachedFeatures extends AsyncDisposable {
  readonly examples: readonly TrainingExample[];
  /** Keys of the images of the examples. */
  readonly keys: readonly string[];
  /** The examples whose image cannot be read. */
  readonly problems: readonly ExampleProblem[];
  /** Number of images that were encoded now, and not by an earlier run. */
  readonly encoded: number;
  /** The features of examples by their index, `[batch, positions, width]`. */
  read(indices: readonly number[]): Promise<PatchFeatures>;
}

/**
 * Encodes the images of examples that have no features yet. An image that several examples share is encoded once. A
 * run that was stopped continues.
 * @param folder that of the features; its name is the digest of the encoder. If the folder above it has features
 * itself, as `blip2 features` writes them, these are used.
 * @throws Blip2Error `OUTPUT_IN_USE` for features of another encoder; `WRITE_FAILED`; `NOT_FINITE`; the signal's
 * reason.
 */
export async function cacheFeatures(
  examples: readonly TrainingExample[],
  folder: string,
  encoder: ImageEncoder,
  { signal, onProgress }: CacheOptions = {},
): Promise<CachedFeatures> {
  const above = dirname(folder);
  const path = existsSync(join(above, 'features.json')) ? above : folder;
  const settings = { encoder: basename(folder), ...(signal && { signal }) };
  const found = await encodeInto(path, settings, examples, encoder, { signal, ...(onProgress && { onProgress }) });
  // Other runs may add to the folder while this one trains.
  const store = await openFeatureStore(path, { ...settings, readOnly: true });
  return {
    ...found,
    // Features are `[positions, width]` for each image.
    read: async (indices) => (await store.read(indices.map((index) => found.keys[index] ?? ''))) as PatchFeatures,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

type Encoded = Pick<CachedFeatures, 'examples' | 'keys' | 'problems' | 'encoded'>;

async function encodeInto(
  folder: string,
  settings: FeatureStoreOptions,
  all: readonly TrainingExample[],
  encoder: ImageEncoder,
  { signal, onProgress }: CacheOptions,
): Promise<Encoded> {
  await using store = await openFeatureStore(folder, settings);
  const examples: TrainingExample[] = [];
  const keys: string[] = [];
  const problems: ExampleProblem[] = [];
  const images = all.map(({ image }) => image);
  let [done, encoded] = [0, 0];
  for await (const outcome of computeFeatures(images, store, encodeBatch(encoder), { batchSize: BATCH, signal })) {
    const example = all[done++]!;
    if (outcome.status === 'failed') problems.push(brokenImage(example, outcome.error));
    else {
      examples.push(example);
      keys.push(outcome.key);
      if (outcome.status === 'encoded') encoded++;
    }
    if (done % BATCH === 0 || done === all.length) onProgress?.(done, all.length);
  }
  return { examples, keys, problems, encoded };
}

/** An encoder that gives no numbers is no fault of the image. */
function brokenImage({ image, where }: TrainingExample, error: Error): ExampleProblem {
  if (error instanceof Blip2Error && error.code === 'NOT_FINITE') throw error;
  return { where, fault: 'broken image', got: `${image.name}: ${messageOf(error)}` };
}

function encodeBatch({ vision, processor }: ImageEncoder): EncodeImages {
  return async (images) => {
    const { pixelValues } = await processor.process(images, { doRescale: true, autoOrient: true });
    const features = expectFinite('vision encoder', await (await vision()).encode(expectFloatPixels(pixelValues)));
    const [, ...shape] = features.dims;
    return images.map((_, row) => ({ dims: shape, data: pickRows(features, [row]).data }));
  };
}
