import { createHash } from 'node:crypto';
import { cpus } from 'node:os';
import { join } from 'node:path';

import { readJsonFile } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import type { RunPlan } from './run-plan.ts';
import { replaceFile } from './step-log.ts';
import type { TrainSettings } from './train-settings.ts';

/** Everything that the weights of a run depend on, as `run.json`. */
export type RunRecord = Readonly<Record<string, unknown>>;

const FILE = 'run.json';
/** Members that may differ: the last digits then may too. */
const MACHINE: readonly string[] = ['processor', 'node'];

/** What a run depends on besides its settings. */
export interface RunContent {
  readonly plan: RunPlan;
  readonly threads: number;
  readonly encoder: string;
  readonly exampleCount: number;
  /** The ids of the examples and the keys of their images. */
  readonly content: unknown;
}

export function runRecord(
  settings: TrainSettings,
  { plan, threads, encoder, exampleCount, content }: RunContent,
): RunRecord {
  const {
    source,
    train,
    reset,
    batchSize,
    microBatch,
    weightDecay,
    betas,
    maxNorm,
    seed,
    patience,
    dtype = 'fp32',
  } = settings;
  const data = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  const [processor] = cpus();
  return {
    model: source,
    train,
    reset,
    ...plan,
    batchSize,
    microBatch,
    weightDecay,
    betas,
    maxNorm,
    seed,
    patience: patience ?? null,
    dtype,
    threads,
    encoder,
    exampleCount,
    examples: data,
    processor: `${process.arch} ${processor?.model ?? ''}`.trim(),
    node: process.version,
  };
}

/** The record in the folder of a run; undefined if there is none. */
export async function readRecord(folder: string): Promise<RunRecord | undefined> {
  return readJsonFile(folder, FILE, { code: 'INVALID_ARGUMENT', maxBytes: 2 ** 20 });
}

export async function writeRecord(folder: string, record: RunRecord): Promise<void> {
  await replaceFile(join(folder, FILE), `${JSON.stringify(record, undefined, 2)}\n`);
}

/**
 * Checks that a resumed run is the one that was started. Returns the members that describe the machine and differ.
 * @throws Blip2Error `INVALID_ARGUMENT` with the first setting that differs.
 */
export function expectSameRun(earlier: RunRecord, now: RunRecord): readonly string[] {
  const names = Object.keys(now).filter((name) => JSON.stringify(earlier[name]) !== JSON.stringify(now[name]));
  const [first] = names.filter((name) => !MACHINE.includes(name));
  if (first === undefined) return names;
  throw new Blip2Error('INVALID_ARGUMENT', `A resumed run must have the ${first} that it was started with`, {
    argument: first,
    expected: JSON.stringify(earlier[first]),
    got: JSON.stringify(now[first]),
    fix: 'Pass the same options and data, or start over with --restart',
  });
}
