import { createHash } from 'node:crypto';

import { type PixelValues, unlessAborted } from '@blip2/interfaces';

import type { KeptImage } from '../images/encoded-image.ts';
import type { PromptCounts } from './prompt-states.ts';

/** What a cache holds, and how often it was of use. */
export interface ImageCacheStatus {
  readonly hits: number;
  readonly misses: number;
  readonly images: number;
  readonly bytes: number;
  /** Tokens of prompts about these images. */
  readonly promptTokens: number;
  /** Those that continued an earlier prompt and were not prefilled again. */
  readonly reusedTokens: number;
}

/** Which image. */
export interface CachedImageRequest {
  readonly pixelValues: PixelValues;
  /** How it is encoded, if there are several ways. */
  readonly variant: string;
  readonly signal: AbortSignal | undefined;
}

/** Encoded images by the content of their pixels. */
export interface ImageCache<Image extends KeptImage> extends AsyncDisposable {
  readonly status: ImageCacheStatus;
  /**
   * The image of these pixels, encoded by `encode` unless it is kept or being encoded. Dispose of it after use. An
   * abort rejects at once, and the image is kept when it has been encoded.
   */
  get(request: CachedImageRequest, encode: () => Promise<Image>): Promise<Image>;
  /** Drops all images, those in use when they have been disposed of. */
  clear(): Promise<void>;
}

interface Entry<Image> {
  readonly key: string;
  readonly image: Promise<Image>;
  /** Known when it has been encoded. */
  encoded: Image | undefined;
  users: number;
}

/** Prompts per image that are kept: several clients may talk about one image. */
const STATES_PER_IMAGE = 4;

/**
 * Creates a cache of at most `maxBytes`. Images in use count, and are not dropped; those used least recently go first.
 */
export function createImageCache<Image extends KeptImage>(maxBytes: number): ImageCache<Image> {
  /** In the order of their last use. */
  const entries = new Map<string, Entry<Image>>();
  /** Dropped, but in use. */
  const leaving = new Set<Entry<Image>>();
  const count = { hits: 0, misses: 0 };
  const prompts: PromptCounts = { positions: 0, reused: 0 };
  const bytes = (): number =>
    [...entries.values()].reduce((sum, { encoded }) => sum + (encoded?.batch.byteLength ?? 0), 0);

  async function drop(entry: Entry<Image>): Promise<void> {
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
    if (entry.users > 0) leaving.add(entry);
    else await entry.encoded?.[Symbol.asyncDispose]();
  }
  async function makeRoom(): Promise<void> {
    for (const entry of [...entries.values()]) {
      if (bytes() <= maxBytes) return;
      if (entry.users === 0) await drop(entry);
    }
  }
  async function release(entry: Entry<Image>): Promise<void> {
    entry.users--;
    if (entry.users > 0) return;
    if (leaving.delete(entry)) await entry.encoded?.[Symbol.asyncDispose]();
    else await makeRoom();
  }
  function add(key: string, encode: () => Promise<Image>): Entry<Image> {
    count.misses++;
    const entry: Entry<Image> = { key, image: encode(), encoded: undefined, users: 0 };
    entries.set(key, entry);
    entry.image.then(
      (image) => {
        entry.encoded = image;
        image.batch.states?.enable(STATES_PER_IMAGE, prompts);
      },
      () => {
        if (entries.get(key) === entry) entries.delete(key);
      },
    );
    return entry;
  }
  async function clear(): Promise<void> {
    for (const entry of [...entries.values()]) await drop(entry);
  }

  return {
    status: {
      get hits() {
        return count.hits;
      },
      get misses() {
        return count.misses;
      },
      get images() {
        return entries.size;
      },
      get bytes() {
        return bytes();
      },
      get promptTokens() {
        return prompts.positions;
      },
      get reusedTokens() {
        return prompts.reused;
      },
    },
    async get({ pixelValues, variant, signal }, encode) {
      const key = `${contentHash(pixelValues)} ${variant}`;
      const known = entries.get(key);
      if (known) {
        count.hits++;
        entries.delete(key);
        entries.set(key, known);
      }
      const entry = known ?? add(key, encode);
      entry.users++;
      let isReleased = false;
      const dispose = async (): Promise<void> => {
        if (isReleased) return;
        isReleased = true;
        await release(entry);
      };
      try {
        return { ...(await unlessAborted(entry.image, signal)), [Symbol.asyncDispose]: dispose };
      } catch (error) {
        await dispose();
        throw error;
      }
    },
    clear,
    [Symbol.asyncDispose]: clear,
  };
}

/** A hash of pixels and their shape. */
function contentHash({ dims, data }: PixelValues): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash('sha256').update(dims.join()).update(bytes).digest('hex');
}
