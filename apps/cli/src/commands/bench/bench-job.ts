/** What one process measures: one precision of one model. */
export interface BenchJob {
  /** Folder of a checkpoint. */
  readonly model: string;
  /** File of an image. */
  readonly image: string;
  /** As `--dtype` takes it. */
  readonly dtype: string;
  readonly threads?: number;
  /** How often each step is timed, after one untimed round. */
  readonly rounds: number;
  /** Length of every caption. */
  readonly newTokens: number;
}

/** What was measured, each value by itself; the unit is at the end of the name. */
export type BenchSamples = Readonly<Record<BenchMetric, readonly number[]>>;

/**
 * Either the samples, or, if weights had to be converted first, how long that took: such a process shows neither the
 * times nor the memory of later ones.
 */
export type BenchResult = { readonly samples: BenchSamples } | { readonly convertMs: number };

/** In the order in which they are shown. */
export const BENCH_METRICS = {
  loadMs: 'loading, until captions take no longer than later ones',
  firstCaptionMs: 'from the start of the process to the end of the first caption',
  visionMs: 'vision encoder, one image',
  qformerMs: 'Q-Former and projection',
  prefillMs: 'language model, reading the prompt',
  tokenMs: 'language model, each further token',
  captionMs: 'one caption, the image decoded and processed',
  beams5Ms: 'one caption with 5 beams',
  batch8CaptionsPerSecond: 'captions per second, 8 at a time',
  peakMiB: 'most resident memory, mapped weights included, after captions one at a time',
  rssAnonMiB: 'memory beyond mapped files, after captions one at a time',
  batchPeakMiB: 'most resident memory at the end, after beams and batches',
} as const;
export type BenchMetric = keyof typeof BENCH_METRICS;
