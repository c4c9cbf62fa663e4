import type { ThreadChoice } from '@blip2/interfaces';

import type { ModelSource } from '../../model/model-source.ts';
import type { Isolate } from '../../options/common-options.ts';

/** The measurement of one process: one precision of one model. */
export interface BenchJob {
  /** Folder of the checkpoint, or of each part. */
  readonly model: ModelSource;
  /** Folders of adapters. */
  readonly adapters: readonly string[];
  /** Module that registers model families. */
  readonly module?: string;
  /** Image file. */
  readonly image: string;
  /** The value of `--dtype`. */
  readonly dtype: string;
  readonly threads?: number | Partial<ThreadChoice>;
  readonly isolate?: Isolate;
  /** Number of timed rounds, after the warm-up. */
  readonly rounds: number;
  /** Length of every caption, in tokens. */
  readonly newTokens: number;
}

/** All measured values. The unit is the suffix of the name. */
export type BenchSamples = Readonly<Record<BenchMetric, readonly number[]>>;

/** The samples or, if weights were converted first, only that time: the other values are not those of later runs. */
export type BenchResult = { readonly samples: BenchSamples } | { readonly convertMs: number };

/** Metrics with their descriptions, in the order of the table. */
export const BENCH_METRICS = {
  loadMs: 'loading, including the overhead of the first caption',
  firstCaptionMs: 'from the start of the process to the end of the first caption',
  secondCaptionMs: 'the second caption, which opens sessions for all later ones',
  warmUpCaptions: 'captions until the time was stable: three in a row within 5 %, at most 12',
  visionMs: 'vision encoder, one image',
  qformerMs: 'Q-Former and projection',
  prefillMs: 'language model, prefill of the prompt',
  tokenMs: 'language model, each further token',
  captionMs: 'one caption in steady state, including image decoding and processing',
  beams5Ms: 'one caption with 5 beams',
  batch8CaptionsPerSecond: 'captions per second, 8 distinct images at a time',
  peakMiB: 'peak resident memory with mapped weights, after captions one at a time',
  rssAnonMiB: 'resident memory without mapped files, after captions one at a time',
  batchPeakMiB: 'peak resident memory at the end, after beams and batches',
} as const;
export type BenchMetric = keyof typeof BENCH_METRICS;
