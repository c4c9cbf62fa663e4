import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';

import { fromFloat32, toFloat32 } from '@blip2/checkpoint';
import { makeFolder, wrapWriteErrors, writeAll } from '@blip2/files';
import { Blip2Error, type PatchFeatures } from '@blip2/interfaces';

const MAGIC = 'BLIP2F16';
/** `MAGIC`, then positions and width as integers of 32 bits. */
const HEADER_BYTES = 16;
/** Bytes of a key: SHA-256 of the file of an image. */
const KEY_BYTES = 32;
const VALUE_BYTES = 2;
/** Far above the features of any encoder. */
const MAX_AXIS = 1_000_000;

/** Positions and width of the features of an image. */
export type FeatureShape = readonly [positions: number, width: number];

/** Image features of one encoder in float16, one record per image. */
export interface FeatureFile extends AsyncDisposable {
  has(key: string): boolean;
  /**
   * Adds images. A record that was not written completely is dropped when the file is opened again.
   * @param features Those of all `keys`, `[images, positions, width]`.
   * @throws Blip2Error `WRITE_FAILED`; `SHAPE_MISMATCH` for features of another shape than those in the file.
   */
  append(keys: readonly string[], features: PatchFeatures): Promise<void>;
  /** The features of images, `[images, positions, width]`, as they were rounded to float16. */
  read(keys: readonly string[]): Promise<PatchFeatures>;
}

/** The key of an image: that of the bytes of its file. */
export function imageKey(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Opens a file of features, and creates it if it does not exist. Only the keys are kept in memory.
 * @throws Blip2Error `WRITE_FAILED`; `INVALID_CHECKPOINT` for a file of another kind.
 */
export async function openFeatureFile(file: string): Promise<FeatureFile> {
  await wrapWriteErrors(file, makeFolder(dirname(file)));
  const handle = await wrapWriteErrors(file, open(file, 'a+'));
  try {
    let shape = await readShape(handle, file);
    const records = shape ? await readKeys(handle, shape, file) : new Map<string, number>();
    return {
      has: (key) => records.has(key),
      async append(keys, { dims: [count, positions, width], data }) {
        if (!shape) {
          shape = [positions, width];
          await writeAll(handle, header(shape), file);
        }
        expectShape(shape, [positions, width], file);
        const size = positions * width;
        const bytes = recordBytes(shape);
        const all = new Uint8Array(count * bytes);
        for (const [index, key] of keys.entries()) {
          const start = index * bytes;
          all.set(Buffer.from(key, 'hex'), start);
          const features = data.subarray(index * size, (index + 1) * size);
          fromFloat32(features, 'F16', all.subarray(start + KEY_BYTES, start + bytes));
        }
        await writeAll(handle, all, file);
        for (const key of keys) records.set(key, records.size);
      },
      async read(keys) {
        const [positions, width] = shape ?? [0, 0];
        const size = positions * width;
        const data = new Float32Array(keys.length * size);
        const stored = new Uint8Array(size * VALUE_BYTES);
        for (const [index, key] of keys.entries()) {
          const at = HEADER_BYTES + (records.get(key) ?? Number.NaN) * recordBytes([positions, width]) + KEY_BYTES;
          const { bytesRead } = await handle.read(stored, 0, stored.byteLength, at);
          if (bytesRead < stored.byteLength) throw damaged(file, 'a record is missing');
          toFloat32(stored, 'F16', data.subarray(index * size, (index + 1) * size));
        }
        return { type: 'float32', dims: [keys.length, positions, width], data };
      },
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function recordBytes([positions, width]: FeatureShape): number {
  return KEY_BYTES + positions * width * VALUE_BYTES;
}

function header([positions, width]: FeatureShape): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt32LE(positions, 8);
  bytes.writeUInt32LE(width, 12);
  return bytes;
}

async function readShape(handle: FileHandle, file: string): Promise<FeatureShape | undefined> {
  const bytes = Buffer.alloc(HEADER_BYTES);
  const { bytesRead } = await handle.read(bytes, 0, HEADER_BYTES, 0);
  if (bytesRead < HEADER_BYTES) {
    await wrapWriteErrors(file, handle.truncate(0));
    return undefined;
  }
  const shape = [bytes.readUInt32LE(8), bytes.readUInt32LE(12)] as const;
  if (bytes.toString('latin1', 0, 8) !== MAGIC || shape.some((axis) => axis === 0 || axis > MAX_AXIS))
    throw damaged(file, 'it has another header');
  return shape;
}

/** The number of the record of each image. What follows the last complete record is removed. */
async function readKeys(handle: FileHandle, shape: FeatureShape, file: string): Promise<Map<string, number>> {
  const bytes = recordBytes(shape);
  const { size } = await handle.stat();
  const complete = Math.floor((size - HEADER_BYTES) / bytes);
  const records = new Map<string, number>();
  const key = Buffer.alloc(KEY_BYTES);
  for (let record = 0; record < complete; record++) {
    await handle.read(key, 0, KEY_BYTES, HEADER_BYTES + record * bytes);
    records.set(key.toString('hex'), record);
  }
  if (HEADER_BYTES + complete * bytes < size)
    await wrapWriteErrors(file, handle.truncate(HEADER_BYTES + complete * bytes));
  return records;
}

function expectShape(expected: FeatureShape, got: FeatureShape, file: string): void {
  if (expected[0] === got[0] && expected[1] === got[1]) return;
  throw new Blip2Error('SHAPE_MISMATCH', 'Features must have the shape of those in the file', {
    where: file,
    expected: `[${expected.join(', ')}]`,
    got: `[${got.join(', ')}]`,
  });
}

function damaged(file: string, got: string): Blip2Error {
  return new Blip2Error('INVALID_CHECKPOINT', 'The file of image features is damaged', {
    where: file,
    got,
    fix: 'Delete it: the images are encoded again',
  });
}
