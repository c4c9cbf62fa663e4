import type { ModelSources } from '@blip2/blip2';
import { expectKnownOptions, mustBe, type PrecisionChoice } from '@blip2/interfaces';
import { BRIDGE_PARTS, type BridgePart } from '@blip2/qformer';

/** What a run does: settings with defaults filled in, as they are recorded. */
export interface TrainSettings {
  readonly pairs: string;
  readonly validation: string | undefined;
  /** Undefined: a tenth of the steps. */
  readonly validateEvery: number | undefined;
  readonly patience: number | undefined;
  readonly source: ModelSources;
  readonly output: string;
  readonly train: readonly BridgePart[];
  readonly reset: readonly BridgePart[];
  /** Undefined: from the number of examples. */
  readonly steps: number | undefined;
  readonly batchSize: number;
  readonly microBatch: number;
  /** Undefined: from the width of the Q-Former. */
  readonly learningRate: number | undefined;
  /** Undefined: from the number of steps. */
  readonly warmupSteps: number | undefined;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly maxNorm: number;
  readonly seed: number;
  readonly dtype: PrecisionChoice | undefined;
  readonly threads: number | undefined;
  readonly skipBad: boolean;
  /** Seconds between two saves of the state. */
  readonly saveEvery: number;
  readonly resume: boolean;
  readonly restart: boolean;
  /** Folder of the files of image features. Undefined: the cache folder. */
  readonly features: string | undefined;
  readonly localFilesOnly: boolean;
}

/** Options of `train`. */
export interface TrainSettingOptions extends Omit<ModelSources, 'qformer'> {
  /**
   * JSON lines `{ image, caption }` or `{ image, question, answer }`, with paths relative to the file; a folder of
   * images with `.txt` files of the same names; or a webdataset archive (`.tar`).
   */
  readonly pairs: string;
  /** Examples that are not trained on, whose texts are generated now and then. The best weights are kept. */
  readonly validation?: string;
  /** Steps between two validations. Default: a tenth of all. */
  readonly validateEvery?: number;
  /** Ends the run after this number of validations without a better one. Default: it does not end early. */
  readonly patience?: number;
  /** Folder or Hub id of the model whose bridge is trained. */
  readonly model: string;
  /** Folder of the trained checkpoint; it must be empty or not exist, without `resume` or `restart`. */
  readonly output: string;
  /** Parts that are trained. Default: all of the bridge. */
  readonly train?: readonly BridgePart[];
  /** Parts that start from random values. Default: none. */
  readonly reset?: readonly BridgePart[];
  /** Default: 20 epochs, at least 500 and at most 3,000 steps. */
  readonly steps?: number;
  /** Examples per step. Default 64. */
  readonly batchSize?: number;
  /** Examples that go through the model together: less memory, and the same result up to rounding. Default 16. */
  readonly microBatch?: number;
  /** Highest learning rate. Default 1e-4 for a Q-Former of width 768, more for a narrower one in proportion. */
  readonly learningRate?: number;
  /** Steps in which the rate rises. Default: 5 % of all, at most 2,000. */
  readonly warmupSteps?: number;
  /** Default 0.05. Norms, biases and query tokens have none. */
  readonly weightDecay?: number;
  /** Default 0.9 and 0.98. */
  readonly betas?: readonly [number, number];
  /** Gradients are scaled down to this norm. Default 1. */
  readonly maxNorm?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Precision of the language model. Default: `fp32`. */
  readonly dtype?: PrecisionChoice;
  /** Threads per operator. Default: measured, and recorded for `resume`. */
  readonly threads?: number;
  /** Train without the examples that cannot be used. Default false: they are an error. */
  readonly skipBad?: boolean;
  /** Seconds between two saves of the state. Default 60. */
  readonly saveEvery?: number;
  /** Continue the run in `output`. */
  readonly resume?: boolean;
  /** Replace the run in `output`. */
  readonly restart?: boolean;
  /** Folder of the files of image features. Default: below the cache folder. */
  readonly features?: string;
  /** Never use the network to load a model. */
  readonly localFilesOnly?: boolean;
}

/** Names of the settings among the options of `train`. */
export const SETTING_NAMES: readonly (keyof TrainSettingOptions)[] = [
  'pairs',
  'validation',
  'validateEvery',
  'patience',
  'model',
  'vision',
  'language',
  'processor',
  'output',
  'train',
  'reset',
  'steps',
  'batchSize',
  'microBatch',
  'learningRate',
  'warmupSteps',
  'weightDecay',
  'betas',
  'maxNorm',
  'seed',
  'dtype',
  'threads',
  'skipBad',
  'saveEvery',
  'resume',
  'restart',
  'features',
  'localFilesOnly',
];

const MAX_SEED = 4_294_967_295;

/**
 * Checks the options of `train` and fills in defaults.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`.
 */
export function trainSettings(options: TrainSettingOptions, others: readonly string[] = []): TrainSettings {
  expectKnownOptions('train', options, [...SETTING_NAMES, ...others]);
  for (const name of ['pairs', 'model', 'output'] as const)
    if (typeof options[name] !== 'string' || options[name] === '') throw mustBe(name, 'a path', options[name]);
  const parts = expectParts('train', options.train ?? BRIDGE_PARTS);
  const reset = expectParts('reset', options.reset ?? []);
  if (parts.length === 0) throw mustBe('train', `at least one of ${BRIDGE_PARTS.join(', ')}`, 'none');
  const random = reset.find((part) => !parts.includes(part));
  if (random !== undefined)
    throw mustBe('reset', 'parts that are trained', random, { fix: `Add ${random} to train (--train)` });
  if (options.resume === true && options.restart === true) throw mustBe('restart', 'absent with resume', true);
  const { model, vision, language, processor } = options;
  for (const name of ['validateEvery', 'patience'] as const)
    if (options[name] !== undefined && options.validation === undefined)
      throw mustBe(name, 'absent without validation', options[name]);
  return {
    pairs: options.pairs,
    validation: options.validation,
    validateEvery: integer('validateEvery', options.validateEvery, 1),
    patience: integer('patience', options.patience, 1),
    source: {
      qformer: model,
      ...(vision !== undefined && { vision }),
      ...(language !== undefined && { language }),
      ...(processor !== undefined && { processor }),
    },
    output: options.output,
    train: parts,
    reset,
    steps: integer('steps', options.steps, 1),
    batchSize: integer('batchSize', options.batchSize, 1) ?? 64,
    microBatch: integer('microBatch', options.microBatch, 1) ?? 16,
    learningRate: positive('learningRate', options.learningRate),
    warmupSteps: integer('warmupSteps', options.warmupSteps, 0),
    weightDecay: atLeastZero('weightDecay', options.weightDecay) ?? 0.05,
    betas: expectBetas(options.betas),
    maxNorm: positive('maxNorm', options.maxNorm) ?? 1,
    seed: integer('seed', options.seed, 0, MAX_SEED) ?? 0,
    dtype: options.dtype,
    threads: integer('threads', options.threads, 1),
    skipBad: options.skipBad === true,
    saveEvery: atLeastZero('saveEvery', options.saveEvery) ?? 60,
    resume: options.resume === true,
    restart: options.restart === true,
    features: options.features,
    localFilesOnly: options.localFilesOnly === true,
  };
}

function expectParts(argument: string, given: unknown): readonly BridgePart[] {
  const known: readonly unknown[] = BRIDGE_PARTS;
  const parts: readonly unknown[] = Array.isArray(given) ? given : [given];
  const unknown = parts.find((part) => !known.includes(part));
  if (unknown !== undefined || !Array.isArray(given))
    throw mustBe(argument, `a list of ${BRIDGE_PARTS.join(', ')}`, unknown ?? given);
  return BRIDGE_PARTS.filter((part) => parts.includes(part));
}

function integer(argument: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value;
  const limit = most < Number.MAX_SAFE_INTEGER ? `${least} to ${most}` : `at least ${least}`;
  throw mustBe(argument, `an integer, ${limit}`, value);
}

function positive(argument: string, value: unknown): number | undefined {
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value) && value > 0)) return value;
  throw mustBe(argument, 'a number above 0', value);
}

function atLeastZero(argument: string, value: unknown): number | undefined {
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value) && value >= 0)) return value;
  throw mustBe(argument, 'a number of at least 0', value);
}

function expectBetas(given: unknown): readonly [number, number] {
  if (given === undefined) return [0.9, 0.98];
  const betas: readonly unknown[] = Array.isArray(given) ? given : [];
  const [first, second] = betas;
  const isBeta = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < 1;
  if (betas.length === 2 && isBeta(first) && isBeta(second)) return [first, second];
  throw mustBe('betas', 'two numbers, 0 to below 1', given);
}
