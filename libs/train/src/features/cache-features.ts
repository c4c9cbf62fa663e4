import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import {
  type FeatureStore,
  type FeatureStoreOptions,
  type ImageFeatures,
  imageKey,
  openFeatureStore,
} from '@blip2/features';
import { expectFinite, isError, messageOf, type PatchFeatures, type VisionEncoder } from '@blip2/interfaces';
import type { BlipImageProcessor } from '@blip2/processor';

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

async function encodeInto(
  folder: string,
  settings: FeatureStoreOptions,
  examples: readonly TrainingExample[],
  encoder: ImageEncoder,
  options: CacheOptions,
): Promise<Encoded> {
  await using store = await openFeatureStore(folder, settings);
  return await encodeAll(examples, store, encoder, options);
}

type Encoded = Pick<CachedFeatures, 'examples' | 'keys' | 'problems' | 'encoded'>;

async function encodeAll(
  all: readonly TrainingExample[],
  cached: FeatureStore,
  encoder: ImageEncoder,
  { signal, onProgress }: CacheOptions,
): Promise<Encoded> {
  const examples: TrainingExample[] = [];
  const keys: string[] = [];
  const problems: ExampleProblem[] = [];
  let encoded = 0;
  for (let begin = 0; begin < all.length; begin += BATCH) {
    signal?.throwIfAborted();
    const pixels = new Map<string, PixelRow>();
    for (const example of all.slice(begin, begin + BATCH)) {
      const found = await keyOf(example, cached, encoder, pixels);
      if (typeof found === 'string') {
        examples.push(example);
        keys.push(found);
      } else problems.push(found);
    }
    if (pixels.size > 0) await cached.append(namedRows(pixels, await encode(encoder, [...pixels.values()])));
    encoded += pixels.size;
    onProgress?.(Math.min(begin + BATCH, all.length), all.length);
  }
  return { examples, keys, problems, encoded };
}

/** The features of each image, under the name of its file. */
function namedRows(pixels: ReadonlyMap<string, PixelRow>, { dims, data }: PatchFeatures): ImageFeatures[] {
  const [, ...shape] = dims;
  const size = shape.reduce((product, axis) => product * axis, 1);
  return [...pixels].map(([key, { name }], row) => ({
    key,
    name,
    dims: shape,
    data: data.subarray(row * size, (row + 1) * size),
  }));
}

type PixelRow = {
  readonly name: string;
  readonly dims: readonly [number, number, number];
  readonly data: Float32Array;
};

/** The key of an image, whose pixels are added if it has no features; or why it cannot be read. */
async function keyOf(
  { image, where }: TrainingExample,
  cached: FeatureStore,
  { processor }: ImageEncoder,
  pixels: Map<string, PixelRow>,
): Promise<string | ExampleProblem> {
  try {
    const bytes = await image.read();
    const key = imageKey(bytes);
    if (cached.has(key) || pixels.has(key)) return key;
    const { pixelValues } = await processor.process(bytes, { doRescale: true, autoOrient: true });
    const [, channels, height, width] = pixelValues.dims;
    pixels.set(key, { name: image.name, dims: [channels, height, width], data: Float32Array.from(pixelValues.data) });
    return key;
  } catch (error) {
    if (!isError(error)) throw error;
    return { where, fault: 'broken image', got: `${image.name}: ${messageOf(error)}` };
  }
}

async function encode({ vision }: ImageEncoder, rows: readonly PixelRow[]): Promise<PatchFeatures> {
  const [{ dims: [channels, height, width] } = { dims: [0, 0, 0] as const }] = rows;
  const size = channels * height * width;
  const data = new Float32Array(rows.length * size);
  rows.forEach((row, index) => data.set(row.data, index * size));
  const features = await (await vision()).encode({ type: 'float32', dims: [rows.length, 3, height, width], data });
  return expectFinite('vision encoder', features);
}
