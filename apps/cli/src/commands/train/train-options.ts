import { defined, type PrecisionChoice } from '@blip2/interfaces';
import type { TrainOptions } from '@blip2/train';

import type { ReportOptions } from '../../options/common-options.ts';

/** Options of `blip2 train`, as they are parsed. */
export interface TrainCommandOptions extends ReportOptions {
  readonly output: string;
  readonly model?: string;
  readonly vision?: string;
  readonly language?: string;
  readonly processor?: string;
  readonly dtype?: string;
  readonly threads?: number;
  readonly offline?: boolean;
  readonly train?: readonly string[];
  readonly reset?: readonly string[];
  readonly steps?: number;
  readonly seed?: number;
  readonly batchSize?: number;
  readonly microBatch?: number;
  readonly learningRate?: number;
  readonly warmupSteps?: number;
  readonly weightDecay?: number;
  readonly validation?: string;
  readonly validateEvery?: number;
  readonly patience?: number;
  readonly skipBad?: boolean;
  readonly features?: string;
  readonly saveEvery?: number;
  readonly resume?: boolean;
  readonly restart?: boolean;
  readonly progress: boolean;
}

/** The options of the library, which checks names of parts and precisions. */
export function trainOptions(pairs: string, options: TrainCommandOptions, demo: string): TrainOptions {
  const { json: _json, quiet: _quiet, verbose: _verbose, progress: _progress, offline, ...rest } = options;
  const { dtype, train, reset, model = demo, ...others } = rest;
  return {
    pairs,
    model,
    ...others,
    ...defined({
      dtype: dtype as PrecisionChoice | undefined,
      train: train as TrainOptions['train'],
      reset: reset as TrainOptions['reset'],
      localFilesOnly: offline,
    }),
  };
}
