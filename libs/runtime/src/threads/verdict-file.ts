/**
 * Numbers of threads that were measured, for the next start: one small file for each kind of machine, as a home folder
 * may belong to several.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { processorFlags, processorModel } from '../processor-features.ts';
import { runtimeVersion } from '../runtime-version.ts';
import type { ThreadTiming } from './choose-threads.ts';
import { makeFolder } from './make-folder.ts';
import type { UsableProcessors } from './usable-processors.ts';

/** What was found out about a machine. */
export interface ThreadVerdict {
  readonly threads: number;
  /** What it was found from. */
  readonly timings: readonly ThreadTiming[];
}

/** What a verdict depends on. */
export interface Machine extends UsableProcessors {
  readonly model: string | undefined;
  /** Instructions that the processor has, where the system lists them. */
  readonly flags: string | undefined;
  readonly runtime: string;
}

/** Another measurement, or another form of the file. */
const FORMAT = 1;
/**
 * Milliseconds after which a verdict is measured again: other programs may have been busy then. A wrong number costs
 * every caption; a measurement costs a fifth of a second a day.
 */
export const VERDICT_LIFE_MS = 86_400_000;

export function thisMachine(usable: UsableProcessors): Machine {
  return {
    ...usable,
    model: processorModel(),
    flags: processorFlags(),
    runtime: `${runtimeVersion()} ${process.platform} ${process.arch}`,
  };
}

/** In the default cache of converted weights: `$BLIP2_CACHE`, or `blip2` in the user's folder for caches. */
export function verdictFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const { BLIP2_CACHE: own, XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = environment;
  return join(
    own || join(xdg || (process.platform === 'win32' && local) || join(homedir(), '.cache'), 'blip2'),
    'threads',
  );
}

export function verdictFile(folder: string, machine: Machine): string {
  const { processors, quota, model, flags, runtime } = machine;
  const key = JSON.stringify([FORMAT, processors, quota ?? null, model ?? null, flags ?? null, runtime]);
  return join(folder, `${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`);
}

/** The number of threads in a file; nothing if there is none, or none that can be used any more. */
export async function readVerdict(
  file: string,
  { processors }: Pick<UsableProcessors, 'processors'>,
): Promise<number | undefined> {
  try {
    const { threads, measuredAt } = JSON.parse(await readFile(file, 'utf8')) as Readonly<Record<string, unknown>>;
    if (typeof threads !== 'number' || !Number.isInteger(threads) || threads < 1 || threads > processors)
      return undefined;
    const age = typeof measuredAt === 'number' ? Date.now() - measuredAt : NaN;
    return age >= 0 && age < VERDICT_LIFE_MS ? threads : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a verdict, if that is possible: it is a convenience. The file gets its name when it is whole. */
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
