import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { fromFloat32, toFloat32 } from '@blip2/checkpoint';
import { acquireLock, makeFolder, readFailure, type WorkLock, wrapWriteErrors } from '@blip2/files';
import { Blip2Error, mustBe, type Tensor } from '@blip2/interfaces';

import { expectEncoder } from './feature-description.ts';
import { type FeaturePart, openFeaturePart, type PendingPart, VALUE_BYTES, writeFeaturePart } from './feature-part.ts';
import { FeatureRows } from './feature-rows.ts';

/** Features of one image. */
export interface ImageFeatures {
  /** `imageKey` of the image. */
  readonly key: string;
  /** What the image is called, for people. */
  readonly name: string;
  /** Such as `[positions, width]`; the same for all images of a folder. */
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Options of `openFeatureStore`. */
export interface FeatureStoreOptions {
  /** Digest of the encoder and of everything that its features depend on. */
  readonly encoder: string;
  /** What to tell people about the encoder, such as its model and precision. */
  readonly about?: Readonly<Record<string, string>>;
  /** Only read: the folder has to exist, and other processes may use it. */
  readonly readOnly?: boolean;
  /** Images per file, default 1,000. A run that is killed loses at most one file. */
  readonly maxImages?: number;
  readonly signal?: AbortSignal;
}

/** Image features of one encoder in float16, in a folder. */
export interface FeatureStore extends AsyncDisposable {
  readonly folder: string;
  /** Number of images. */
  readonly size: number;
  /** Shape of the features of one image; undefined without any. */
  readonly shape: readonly number[] | undefined;
  has(key: string): boolean;
  /**
   * Adds images; those that are there already are left out. They are written once there are enough for a file.
   * @throws Blip2Error `SHAPE_MISMATCH` for another shape; `NOT_FINITE` for values that float16 cannot hold;
   * `WRITE_FAILED`.
   */
  append(images: readonly ImageFeatures[]): Promise<void>;
  /** Writes all that was added. */
  flush(): Promise<void>;
  /**
   * Features by key, `[images, …shape]`, rounded to float16.
   * @throws Blip2Error `INVALID_ARGUMENT` for an image that is not there; `INVALID_CHECKPOINT`, `MISSING_FILE`.
   */
  read(keys: readonly string[]): Promise<Tensor<'float32'>>;
}

const DEFAULT_MAX_IMAGES = 1000;
/** Size at which a file is written, in bytes: about a minute of work for a large encoder. */
const MAX_PART_BYTES = 67_108_864;
const PART = /^features-(\d{5,9})\.safetensors$/;
/** Largest value of float16. */
const MAX_FLOAT16 = 65_504;

/**
 * Opens a folder of features, and creates it if it does not exist. Only the keys are kept in memory. Processes that
 * write to the same folder wait for each other.
 * @throws Blip2Error `OUTPUT_IN_USE` for a folder with other contents or of another encoder; `MISSING_FILE` if it does
 * not exist and `readOnly` is set; `INVALID_CHECKPOINT` for damaged files; `WRITE_FAILED`; the signal's reason.
 */
export async function openFeatureStore(folder: string, options: FeatureStoreOptions): Promise<FeatureStore> {
  const { encoder, readOnly = false, maxImages = DEFAULT_MAX_IMAGES, signal } = options;
  if (!(Number.isInteger(maxImages) && maxImages >= 1)) throw mustBe('maxImages', 'a positive integer', maxImages);
  const path = resolve(folder);
  if (!readOnly) await wrapWriteErrors(folder, makeFolder(path));
  const lock = readOnly
    ? undefined
    : await acquireLock(dirname(path), basename(path), { signal, isDone: async () => false });
  try {
    await expectEncoder(path, options);
    const parts = await openParts(path, encoder);
    return new Store(path, { encoder, maxImages, lock, readOnly }, parts);
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

async function openParts(folder: string, encoder: string): Promise<FeaturePart[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw readFailure(cause, folder);
  });
  const parts: FeaturePart[] = [];
  for (const name of names.filter((each) => PART.test(each)).toSorted()) {
    parts.push(await openFeaturePart(join(folder, name), encoder));
  }
  return parts;
}

interface StoreSettings {
  readonly encoder: string;
  readonly maxImages: number;
  readonly readOnly: boolean;
  readonly lock: WorkLock | undefined;
}

/** Where the features of an image are: in a file, or in memory. */
type Place = { readonly part: FeaturePart; readonly row: number } | Uint8Array;

class Store implements FeatureStore {
  readonly folder: string;
  readonly #settings: StoreSettings;
  readonly #places = new Map<string, Place>();
  readonly #rows = new FeatureRows();
  #shape: readonly number[] | undefined;
  #pending: { key: string; name: string; row: Uint8Array }[] = [];
  #next = 0;

  constructor(folder: string, settings: StoreSettings, parts: readonly FeaturePart[]) {
    this.folder = folder;
    this.#settings = settings;
    for (const part of parts) this.#addPart(part);
  }

  get size(): number {
    return this.#places.size;
  }

  get shape(): readonly number[] | undefined {
    return this.#shape;
  }

  has(key: string): boolean {
    return this.#places.has(key);
  }

  async append(images: readonly ImageFeatures[]): Promise<void> {
    if (this.#settings.readOnly) throw mustBe('readOnly', 'false to add features', true);
    for (const { key, name, dims, data } of images) {
      if (this.#places.has(key)) continue;
      this.#expectShape(dims, name);
      const row = toFloat16(data, name);
      this.#places.set(key, row);
      this.#pending.push({ key, name, row });
      const bytes = this.#pending.length * row.byteLength;
      if (this.#pending.length >= this.#settings.maxImages || bytes >= MAX_PART_BYTES) await this.flush();
    }
  }

  async flush(): Promise<void> {
    const pending = this.#pending;
    if (pending.length === 0) return;
    const part: PendingPart = {
      keys: pending.map(({ key }) => key),
      names: pending.map(({ name }) => name),
      shape: this.#shape ?? [],
      rows: pending.map(({ row }) => row),
    };
    const file = join(this.folder, `features-${String(this.#next).padStart(5, '0')}.safetensors`);
    await writeFeaturePart(file, part, this.#settings.encoder);
    this.#pending = [];
    this.#addPart(await openFeaturePart(file, this.#settings.encoder));
  }

  async read(keys: readonly string[]): Promise<Tensor<'float32'>> {
    const shape = this.#shape ?? [];
    const size = shape.reduce((product, axis) => product * axis, 1);
    const data = new Float32Array(keys.length * size);
    const stored = new Uint8Array(size * VALUE_BYTES);
    for (const [index, key] of keys.entries()) {
      const place = this.#places.get(key);
      if (!place) throw mustBe(`keys[${index}]`, 'the key of an image with features', key);
      if (!(place instanceof Uint8Array)) await this.#rows.read(place.part, place.row, stored);
      toFloat32(place instanceof Uint8Array ? place : stored, 'F16', data.subarray(index * size, (index + 1) * size));
    }
    return { type: 'float32', dims: [keys.length, ...shape], data };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.#rows[Symbol.asyncDispose]();
      await this.#settings.lock?.release();
    }
  }

  #addPart(part: FeaturePart): void {
    this.#expectShape(part.shape, part.file);
    for (const [row, key] of part.keys.entries()) this.#places.set(key, { part, row });
    const number = Number(PART.exec(basename(part.file))?.[1] ?? -1);
    this.#next = Math.max(this.#next, number + 1);
  }

  #expectShape(dims: readonly number[], where: string): void {
    this.#shape ??= [...dims];
    if (this.#shape.join() === dims.join()) return;
    throw new Blip2Error('SHAPE_MISMATCH', 'Features must have the shape of those in the folder', {
      where,
      expected: `[${this.#shape.join(', ')}]`,
      got: `[${dims.join(', ')}]`,
    });
  }
}

function toFloat16(data: Float32Array, where: string): Uint8Array {
  for (const value of data) {
    if (Math.abs(value) <= MAX_FLOAT16) continue;
    throw new Blip2Error('NOT_FINITE', 'A feature cannot be stored in float16', { where, got: String(value) });
  }
  const bytes = new Uint8Array(data.length * VALUE_BYTES);
  fromFloat32(data, 'F16', bytes);
  return bytes;
}
