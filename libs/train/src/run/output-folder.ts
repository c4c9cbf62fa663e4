import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { acquireLock, isAbandonedLock, LOCK_EXTENSION, makeFolder, systemCode, wrapWriteErrors } from '@blip2/files';
import { Blip2Error, mustBe } from '@blip2/interfaces';

/** Folder of the state and the log, in the folder of the checkpoint. */
export const RUN_FOLDER = 'training';

/** How a folder may be used. */
export interface OutputUse {
  readonly resume: boolean;
  readonly restart: boolean;
}

/**
 * Creates the folder of a run, and returns that of its state.
 * @throws Blip2Error `INVALID_ARGUMENT` if it is not empty and the run is neither resumed nor restarted, or if there is
 * nothing to resume; `WRITE_FAILED`.
 */
export async function openOutput(output: string, { resume, restart }: OutputUse): Promise<string> {
  const folder = join(output, RUN_FOLDER);
  const entries = await contentsOf(output);
  const isRun = entries.includes(RUN_FOLDER);
  if (resume && !isRun)
    throw mustBe('resume', 'absent for a folder without a run', output, { fix: 'Start the run without --resume' });
  if (restart && entries.length > 0 && !isRun)
    throw new Blip2Error('INVALID_ARGUMENT', 'The folder is not that of a run, so that restart does not replace it', {
      where: output,
      argument: 'restart',
      fix: 'Choose another folder',
    });
  if (entries.length > 0 && !resume && !restart)
    throw mustBe('output', 'an empty or a new folder', output, {
      fix: isRun
        ? 'Continue its run with --resume, replace it with --restart, or choose another folder'
        : 'Choose another folder',
    });
  if (restart) await wrapWriteErrors(folder, rm(folder, { recursive: true, force: true }));
  await wrapWriteErrors(folder, makeFolder(folder));
  return folder;
}

/**
 * Takes the lock of a run, until it is disposed of.
 * @throws Blip2Error `OUTPUT_IN_USE` if another run has it.
 */
export async function lockRun(folder: string): Promise<AsyncDisposable> {
  const path = join(folder, `run${LOCK_EXTENSION}`);
  const isDone = async (): Promise<boolean> => !(await isAbandonedLock(path));
  const lock = await acquireLock(folder, 'run', { signal: undefined, isDone });
  if (lock) return { [Symbol.asyncDispose]: () => lock.release() };
  throw new Blip2Error('OUTPUT_IN_USE', 'Another run is writing to the folder', {
    where: folder,
    fix: 'Wait until it has ended, or choose another folder',
  });
}

/** The entries of a folder; none if it does not exist. */
async function contentsOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw mustBe('output', 'a folder', folder, { cause });
  }
}
