import type { LoadProgress } from '@blip2/interfaces';

/** Options of `convertedWeights`. */
export interface ConversionOptions {
  /** Cache folder of converted weights. Default: `$BLIP2_CACHE`, or `blip2` in the user's cache folder. */
  readonly convertedDir?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Number of worker threads. Default: one per core. */
  readonly conversionThreads?: number;
}
