import { expectKnownOptions, mustBe } from '@blip2/interfaces';

/** How concurrent calls of a model share its work. */
export interface BatchingOptions {
  /** Most rows that are decoded together: texts in progress, beams counted separately. Default: 16. */
  readonly maxRows?: number;
  /** Most images that are encoded together; the first token of a call waits for one such batch. Default: 4. */
  readonly maxImages?: number;
  /**
   * Bytes of encoded images, and of the prompts that were prefilled after them, that are kept for later calls with the
   * same image. The least recently used are dropped. Default: 0, none.
   */
  readonly imageCacheBytes?: number;
}

/** Options with their defaults. */
export type BatchingSettings = Required<BatchingOptions>;

const DEFAULTS: BatchingSettings = { maxRows: 16, maxImages: 4, imageCacheBytes: 0 };

/**
 * Checks the options and fills in defaults. `undefined`: calls are not batched.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`.
 */
export function batchingSettings(batching: boolean | BatchingOptions | undefined): BatchingSettings | undefined {
  if (batching === undefined || batching === false) return undefined;
  if (batching === true) return DEFAULTS;
  if (typeof batching !== 'object' || (batching as object | null) === null)
    throw mustBe('batching', 'true, false or an object', batching);
  expectKnownOptions('batching', batching, Object.keys(DEFAULTS));
  const settings = { ...DEFAULTS, ...batching };
  for (const name of ['maxRows', 'maxImages'] as const) {
    if (!Number.isInteger(settings[name]) || settings[name] < 1)
      throw mustBe(`batching.${name}`, 'an integer of at least 1', settings[name]);
  }
  if (!(settings.imageCacheBytes >= 0))
    throw mustBe('batching.imageCacheBytes', 'a number of at least 0', settings.imageCacheBytes);
  return settings;
}
