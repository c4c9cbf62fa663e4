import { Blip2Error, isError, mustBe } from '@blip2/interfaces';

import type { FeatureStore } from './feature-store.ts';
import { imageKey } from './image-key.ts';

/** An encoded image: the bytes of a file. */
export interface FeatureImage {
  /** Its path or name, for messages. */
  readonly name: string;
  read(signal?: AbortSignal): Promise<Uint8Array>;
}

/** Computes features of images, one tensor for each, from their files. */
export type EncodeImages = (
  images: readonly Uint8Array[],
  signal?: AbortSignal,
) => Promise<readonly { readonly dims: readonly number[]; readonly data: Float32Array }[]>;

/** What happened to an image. */
export type FeatureOutcome = { readonly name: string } & (
  | { readonly status: 'encoded' | 'known'; readonly key: string }
  /** The image cannot be read, decoded or encoded. */
  | { readonly status: 'failed'; readonly error: Error }
);

/** Options of `computeFeatures`. */
export interface ComputeFeaturesOptions {
  /** Images that are encoded together, default 16. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_BATCH = 16;
/** Failures of one image, which do not concern the others. */
const OF_ONE_IMAGE: ReadonlySet<string> = new Set([
  'INVALID_IMAGE',
  'UNSUPPORTED_IMAGE',
  'IMAGE_TOO_LARGE',
  'MISSING_FILE',
  'DOWNLOAD_FAILED',
  'NOT_FINITE',
]);

/**
 * Adds the features of images to a store, in order, and yields what happened to each. Images that it has are not
 * encoded again, so a run that was stopped continues where it was. A damaged image fails alone.
 * @throws Blip2Error `WRITE_FAILED` and other failures that concern more than one image; the signal's reason.
 */
export async function* computeFeatures(
  images: Iterable<FeatureImage> | AsyncIterable<FeatureImage>,
  store: FeatureStore,
  encode: EncodeImages,
  { batchSize = DEFAULT_BATCH, signal }: ComputeFeaturesOptions = {},
): AsyncGenerator<FeatureOutcome, void> {
  let batch: Read[] = [];
  for await (const image of images) {
    signal?.throwIfAborted();
    batch.push(await readImage(image, signal));
    if (batch.length < batchSize) continue;
    yield* encodeBatch(batch, store, encode, signal);
    batch = [];
  }
  yield* encodeBatch(batch, store, encode, signal);
  await store.flush();
}

type Read = { readonly name: string } & (
  { readonly key: string; readonly bytes: Uint8Array } | { readonly error: Error }
);

async function readImage(image: FeatureImage, signal: AbortSignal | undefined): Promise<Read> {
  const { name } = image;
  try {
    const bytes = await image.read(signal);
    return { name, key: imageKey(bytes), bytes };
  } catch (error) {
    signal?.throwIfAborted();
    return { name, error: failureOf(error) };
  }
}

async function* encodeBatch(
  batch: readonly Read[],
  store: FeatureStore,
  encode: EncodeImages,
  signal: AbortSignal | undefined,
): AsyncGenerator<FeatureOutcome, void> {
  const missing = new Map<string, Extract<Read, { readonly key: string }>>();
  for (const read of batch) if ('key' in read && !store.has(read.key)) missing.set(read.key, read);
  const failed = await encodeMissing([...missing.values()], store, encode, signal);
  const encoded = new Set([...missing.keys()].filter((key) => !failed.has(key)));
  for (const read of batch) {
    const error = 'error' in read ? read.error : failed.get(read.key);
    if (error || 'error' in read) yield { name: read.name, status: 'failed', error: error ?? failureOf(undefined) };
    else yield { name: read.name, key: read.key, status: encoded.delete(read.key) ? 'encoded' : 'known' };
  }
}

/** Encodes images together or, if that fails because of one of them, one by one. Returns the failures by key. */
async function encodeMissing(
  missing: readonly Extract<Read, { readonly key: string }>[],
  store: FeatureStore,
  encode: EncodeImages,
  signal: AbortSignal | undefined,
): Promise<Map<string, Error>> {
  const failed = new Map<string, Error>();
  if (missing.length === 0) return failed;
  try {
    const features = await encode(
      missing.map(({ bytes }) => bytes),
      signal,
    );
    if (features.length !== missing.length) throw mustBe('encode', `${missing.length} tensors`, features.length);
    await store.append(missing.map(({ key, name }, at) => ({ key, name, ...features[at]! })));
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof Blip2Error && OF_ONE_IMAGE.has(error.code))) throw error;
    if (missing.length === 1) return failed.set(missing[0]!.key, error);
    for (const each of missing) {
      for (const [key, own] of await encodeMissing([each], store, encode, signal)) failed.set(key, own);
    }
  }
  return failed;
}

function failureOf(error: unknown): Error {
  return isError(error) ? error : new Blip2Error('MISSING_FILE', 'The image cannot be read', { cause: error });
}
