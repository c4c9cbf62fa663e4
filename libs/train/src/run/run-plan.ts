import type { TrainSettings } from './train-settings.ts';

/** Numbers of a run that have defaults which depend on the data and the model. */
export interface RunPlan {
  readonly steps: number;
  readonly warmupSteps: number;
  readonly learningRate: number;
  /** Steps between two validations. */
  readonly validateEvery: number;
}

const EPOCHS = 20;
const VALIDATIONS = 10;
const LEAST_STEPS = 500;
const MOST_STEPS = 3000;
const WARMUP_SHARE = 0.05;
const MOST_WARMUP_STEPS = 2000;
/** The rate of LAVIS (`pretrain_stage2.yaml`), whose Q-Former has this width. */
const BASE_RATE = 1e-4;
const BASE_WIDTH = 768;

/** Fills in the defaults. With Adam, the best rate of a layer is about inverse to its width (arXiv 2203.03466). */
export function runPlan(
  { steps, warmupSteps, learningRate, batchSize, validateEvery }: TrainSettings,
  exampleCount: number,
  width: number,
): RunPlan {
  const epochs = Math.ceil((EPOCHS * exampleCount) / batchSize);
  const all = steps ?? Math.min(MOST_STEPS, Math.max(LEAST_STEPS, epochs));
  return {
    steps: all,
    warmupSteps: warmupSteps ?? Math.min(MOST_WARMUP_STEPS, Math.ceil(WARMUP_SHARE * all)),
    validateEvery: validateEvery ?? Math.ceil(all / VALIDATIONS),
    learningRate: learningRate ?? (BASE_RATE * BASE_WIDTH) / width,
  };
}
