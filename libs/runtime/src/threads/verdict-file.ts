/**
 * Saves measured numbers of threads for the next start, in one small file per kind of machine, since several machines
 * may share a home folder.
 */
import { createHash, randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { defaultCacheFolder, isJsonObject, makeFolder, parseJson, readLimited } from '@blip2/files';
import { Blip2Error, isChoiceFor, type ThreadChoice } from '@blip2/interfaces';

import { processorFlags, processorModel } from '../onnxruntime/processor-features.ts';
import { runtimeVersion } from '../onnxruntime/runtime-version.ts';
import type { RowTiming, ThreadTiming } from './choose-threads.ts';
import type { UsableProcessors } from './usable-processors.ts';

/** Result of a measurement. */
export interface ThreadVerdict {
  readonly threads: ThreadChoice;
  /** The measurements behind it. */
  readonly timings: readonly ThreadTiming[];
  /** Empty if other programs were too busy. */
  readonly rowTimings: readonly RowTiming[];
}

/** Properties of a machine that a verdict depends on. */
export interface Machine extends UsableProcessors {
  readonly model: string | undefined;
  /** Instruction sets of the processor, if the system lists them. */
  readonly flags: string | undefined;
  readonly runtime: string;
}

/** Version of the measurement and of the file format. */
const FORMAT = 2;
/**
 * Milliseconds after which a number is measured again, since other programs may have disturbed the measurement. A wrong
 * number slows down every caption; a measurement takes a fifth of a second per day.
 */
export const VERDICT_LIFE_MS = 86_400_000;
/** Maximum size of a file, which has a few numbers. */
const MAX_VERDICT_BYTES = 65_536;

/** The machine that this process runs on. */
export function thisMachine(usable: UsableProcessors): Machine {
  return {
    ...usable,
    model: processorModel(),
    flags: processorFlags(),
    runtime: `${runtimeVersion()} ${process.platform} ${process.arch}`,
  };
}

/** Folder of saved numbers in the default cache; undefined for a user without a home folder. */
export function verdictFolder(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  try {
    return join(defaultCacheFolder(environment), 'threads');
  } catch {
    return undefined;
  }
}

/** Path of the saved number of a machine. */
export function verdictFile(folder: string, machine: Machine): string {
  const { processors, quota, topology, model, flags, runtime } = machine;
  const facts = [processors, quota, topology?.allowed, topology?.kinds, model, flags, runtime];
  const key = JSON.stringify([FORMAT, ...facts.map((fact) => fact ?? null)]);
  return join(folder, `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`);
}

/** Reads numbers of threads; undefined if there is no file, or its numbers are invalid or outdated. */
export async function readVerdict(
  file: string,
  { processors }: Pick<UsableProcessors, 'processors'>,
): Promise<ThreadVerdict | undefined> {
  try {
    const bytes = await readLimited(file, MAX_VERDICT_BYTES, { code: 'INVALID_STATE' });
    const json = parseJson(bytes, (rule) => new Blip2Error('INVALID_STATE', rule));
    const { threads, measuredAt, timings, rowTimings } = isJsonObject(json) ? json : {};
    if (!isChoiceFor(threads, processors)) return undefined;
    const age = typeof measuredAt === 'number' ? Date.now() - measuredAt : NaN;
    if (!(age >= 0 && age < VERDICT_LIFE_MS)) return undefined;
    const { encoder, prompt, decode, fewRows } = threads;
    return {
      threads: { encoder, prompt, decode, fewRows },
      timings: timingsOf<ThreadTiming>(timings),
      rowTimings: timingsOf<RowTiming>(rowTimings),
    };
  } catch {
    return undefined;
  }
}

/** Timings are only shown: those that are not objects of numbers are left out. */
function timingsOf<T>(value: unknown): readonly T[] {
  if (!Array.isArray(value)) return [];
  return value.filter(
    (each) => isJsonObject(each) && Object.values(each).every((number) => typeof number === 'number'),
  ) as readonly T[];
}

/** Saves a verdict, ignoring errors. The file is renamed into place once complete. */
export async function writeVerdict(file: string, verdict: ThreadVerdict): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await makeFolder(dirname(file));
    await writeFile(temporary, `${JSON.stringify({ ...verdict, measuredAt: Date.now() })}\n`);
    await rename(temporary, file);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}
