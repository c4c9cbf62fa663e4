import { readHeader, readRawTensor, type TensorSource, tensorSource, writeSafetensors } from '@blip2/checkpoint';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';

import { KEY_BYTES } from './image-key.ts';

/** Version of the layout, in the metadata of every file. */
export const FORMAT = 'blip2-features-1';
/** Size of a value in bytes: float16. */
export const VALUE_BYTES = 2;

/** Images whose features are not written yet. */
export interface PendingPart {
  readonly keys: readonly string[];
  /** What the images are called, for people. */
  readonly names: readonly string[];
  /** Shape of the features of one image. */
  readonly shape: readonly number[];
  /** float16, one image after the other. */
  readonly rows: readonly Uint8Array[];
}

/**
 * Writes a file of features: `features [images, …shape]` in float16, `keys [images, 32]` in bytes, and `names`, a JSON
 * array of strings in UTF-8. It has its name once it is complete.
 * @throws Blip2Error `WRITE_FAILED`.
 */
export async function writeFeaturePart(
  file: string,
  { keys, names, shape, rows }: PendingPart,
  encoder: string,
): Promise<void> {
  const features: TensorSource = {
    name: 'features',
    dtype: 'F16',
    shape: [rows.length, ...shape],
    chunks: () => rows,
  };
  const keyBytes = new Uint8Array(Buffer.from(keys.join(''), 'hex'));
  const nameBytes = new Uint8Array(Buffer.from(JSON.stringify(names)));
  const sources = [
    features,
    tensorSource('keys', { type: 'uint8', dims: [keys.length, KEY_BYTES], data: keyBytes }),
    tensorSource('names', { type: 'uint8', dims: [nameBytes.byteLength], data: nameBytes }),
  ];
  await writeSafetensors(file, sources, { metadata: { format: 'pt', blip2: FORMAT, encoder } });
}

/** A file of features that was opened. */
export interface FeaturePart {
  readonly file: string;
  readonly keys: readonly string[];
  readonly shape: readonly number[];
  /** Offset of the features of the first image, in bytes. */
  readonly byteOffset: number;
}

/**
 * Reads the header and the keys of a file of features.
 * @throws Blip2Error `INVALID_CHECKPOINT` if it is damaged, of another kind, or of another encoder.
 */
export async function openFeaturePart(file: string, encoder: string): Promise<FeaturePart> {
  const { tensors, metadata } = await readHeader(file);
  const find = (name: string): StoredTensor | undefined => tensors.find((tensor) => tensor.name === name);
  const [features, keys] = [find('features'), find('keys')];
  const count = features?.shape[0] ?? 0;
  if (
    metadata.get('blip2') !== FORMAT ||
    features?.dtype !== 'F16' ||
    keys?.dtype !== 'U8' ||
    features.shape.length < 2 ||
    keys.shape.join() !== `${count},${KEY_BYTES}`
  ) {
    throw damaged(file, 'it is not a file of image features');
  }
  if (metadata.get('encoder') !== encoder) throw damaged(file, 'its features are those of another encoder');
  const bytes = Buffer.from(await readRawTensor(keys));
  return {
    file,
    keys: Array.from({ length: count }, (_, at) => bytes.toString('hex', at * KEY_BYTES, (at + 1) * KEY_BYTES)),
    shape: features.shape.slice(1),
    byteOffset: features.byteOffset,
  };
}

export function damaged(file: string, got: string): Blip2Error {
  return new Blip2Error('INVALID_CHECKPOINT', 'A file of image features cannot be used', {
    where: file,
    got,
    fix: 'Delete it: its images are encoded again',
  });
}
