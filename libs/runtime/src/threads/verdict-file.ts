/**
 * Saves measured numbers of threads for the next start, in one small file per kind of machine, since several machines
 * may share a home folder.
 */
import { createHash, randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { defaultCacheFolder, isJsonObject, makeFolder, parseJson, readLimited } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { processorFlags, processorModel } from '../onnxruntime/processor-features.ts';
import { runtimeVersion } from '../onnxruntime/runtime-version.ts';
import type { ThreadTiming } from './choose-threads.ts';
import type { UsableProcessors } from './usable-processors.ts';

/** Result of a measurement. */
export interface ThreadVerdict {
  readonly threads: number;
  /** The measurements behind it. */
  readonly timings: readonly ThreadTiming[];
}

/** Properties of a machine that a verdict depends on. */
export interface Machine extends UsableProcessors {
  readonly model: string | undefined;
  /** Instruction sets of the processor, if the system lists them. */
  readonly flags: string | undefined;
  readonly runtime: string;
}

/** Version of the measurement and of the file format. */
const FORMAT = 1;
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
  const { processors, quota, model, flags, runtime } = machine;
  const key = JSON.stringify([FORMAT, processors, quota ?? null, model ?? null, flags ?? null, runtime]);
  return join(folder, `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`);
}

/** Reads a number of threads; undefined if there is no file, or its number is invalid or outdated. */
export async function readVerdict(
  file: string,
  { processors }: Pick<UsableProcessors, 'processors'>,
): Promise<number | undefined> {
  try {
    const bytes = await readLimited(file, MAX_VERDICT_BYTES, { code: 'INVALID_STATE' });
    const json = parseJson(bytes, (rule) => new Blip2Error('INVALID_STATE', rule));
    const { threads, measuredAt } = isJsonObject(json) ? json : {};
    if (typeof threads !== 'number' || !Number.isInteger(threads) || threads < 1 || threads > processors)
      return undefined;
    const age = typeof measuredAt === 'number' ? Date.now() - measuredAt : NaN;
    return age >= 0 && age < VERDICT_LIFE_MS ? threads : undefined;
  } catch {
    return undefined;
  }
}

/** Saves a verdict, ignoring errors. The file is renamed into place once complete. */
export async function writeVerdict(file: string, { threads, timings }: ThreadVerdict): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await makeFolder(dirname(file));
    await writeFile(temporary, `${JSON.stringify({ threads, measuredAt: Date.now(), timings })}\n`);
    await rename(temporary, file);
  } catch {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}
