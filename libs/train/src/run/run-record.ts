import { createHash } from 'node:crypto';
import { cpus } from 'node:os';

import { readJsonFile, writeAll, writePending } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import type { ExampleIds } from '../examples/token-rows.ts';
import type { RunPlan } from './run-plan.ts';
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
  readonly examples: readonly ExampleIds[];
  /** Keys of the images of the examples. */
  readonly images: readonly string[];
}

export function runRecord(
  settings: TrainSettings,
  { plan, threads, encoder, examples, images }: RunContent,
): RunRecord {
  const { source, train, reset, batchSize, microBatch, weightDecay, betas, maxNorm, seed, dtype = 'fp32' } = settings;
  const data = createHash('sha256')
    .update(JSON.stringify([examples, images]))
    .digest('hex');
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
    dtype,
    threads,
    encoder,
    exampleCount: examples.length,
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
  const file = `${folder}/${FILE}`;
  const text = `${JSON.stringify(record, undefined, 2)}\n`;
  const pending = await writePending(file, (handle) => writeAll(handle, new TextEncoder().encode(text), file));
  await pending.commit();
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
