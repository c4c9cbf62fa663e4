import { basename, dirname } from 'node:path';

import { acquireLock } from '@blip2/files';
import { expectFinite, isError, messageOf, type PatchFeatures, type VisionEncoder } from '@blip2/interfaces';
import type { BlipImageProcessor } from '@blip2/processor';

import type { ExampleProblem, TrainingExample } from '../examples/training-example.ts';
import { type FeatureFile, imageKey, openFeatureFile } from './feature-file.ts';

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
 * Encodes the images of examples that are not in `file` yet. An image that several examples share is encoded once. A
 * run that was stopped continues after the last complete image.
 * @throws Blip2Error `WRITE_FAILED`; `NOT_FINITE`; the signal's reason.
 */
export async function cacheFeatures(
  examples: readonly TrainingExample[],
  file: string,
  encoder: ImageEncoder,
  { signal, onProgress }: CacheOptions = {},
): Promise<CachedFeatures> {
  const lock = await acquireLock(dirname(file), basename(file), { signal, isDone: async () => false });
  try {
    const cached = await openFeatureFile(file);
    try {
      const found = await encodeAll(examples, cached, encoder, { signal, ...(onProgress && { onProgress }) });
      return {
        ...found,
        read: (indices) => cached.read(indices.map((index) => found.keys[index] ?? '')),
        [Symbol.asyncDispose]: () => cached[Symbol.asyncDispose](),
      };
    } catch (error) {
      await cached[Symbol.asyncDispose]();
      throw error;
    }
  } finally {
    await lock?.release();
  }
}

type Encoded = Pick<CachedFeatures, 'examples' | 'keys' | 'problems' | 'encoded'>;

async function encodeAll(
  all: readonly TrainingExample[],
  cached: FeatureFile,
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
    if (pixels.size > 0) await cached.append([...pixels.keys()], await encode(encoder, [...pixels.values()]));
    encoded += pixels.size;
    onProgress?.(Math.min(begin + BATCH, all.length), all.length);
  }
  return { examples, keys, problems, encoded };
}

type PixelRow = { readonly dims: readonly [number, number, number]; readonly data: Float32Array };

/** The key of an image, whose pixels are added if it has no features; or why it cannot be read. */
async function keyOf(
  { image, where }: TrainingExample,
  cached: FeatureFile,
  { processor }: ImageEncoder,
  pixels: Map<string, PixelRow>,
): Promise<string | ExampleProblem> {
  try {
    const bytes = await image.read();
    const key = imageKey(bytes);
    if (cached.has(key) || pixels.has(key)) return key;
    const { pixelValues } = await processor.process(bytes, { doRescale: true });
    const [, channels, height, width] = pixelValues.dims;
    pixels.set(key, { dims: [channels, height, width], data: Float32Array.from(pixelValues.data) });
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
