import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, chown, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { systemPath } from '../images/path-names.ts';
import type { OutputTarget } from './output-target.ts';
import { openStream } from './stream-output.ts';
import { removeLeftovers, temporaryFiles, temporaryName } from './temporary-files.ts';

/** A temporary file whose content becomes that of an output. */
export interface MovedFile {
  /** The temporary path. Nothing exists there yet. */
  readonly path: string;
  /** Permissions with which the temporary file is created: never more than those of the file that it replaces. */
  readonly mode: number;
  /** Moves the complete, closed file to the output. */
  move(signal?: AbortSignal): Promise<void>;
  /** Deletes the temporary file. */
  remove(): Promise<void>;
}

/** Errors of a rename that writing into the file does not have: mount points, and folders with a sticky bit. */
const NOT_RENAMED: ReadonlySet<unknown> = new Set(['EBUSY', 'EXDEV', 'EPERM', 'EACCES']);
/** Start of the names of files that are kept in the system's temporary folder until they are complete. */
const SPOOL = 'blip2-output';
const NEW_FILE = 0o666;
const PRIVATE = 0o600;

/** Reserves a temporary file: next to the output, or in the system's folder if it cannot be renamed to the output. */
export async function movedFile(target: OutputTarget): Promise<MovedFile> {
  const isNextToIt = target.kind === 'replace';
  if (!isNextToIt) await removeLeftovers(tmpdir(), { prefix: SPOOL });
  const path = await temporaryName(isNextToIt ? target.path : join(tmpdir(), SPOOL));
  temporaryFiles.add(path);
  return {
    path,
    mode: isNextToIt && !target.stats ? NEW_FILE : PRIVATE,
    move: (signal) => (isNextToIt ? renameOrCopy(path, target, signal) : copyInto(path, target, signal)),
    async remove() {
      await rm(systemPath(path), { force: true });
      temporaryFiles.forget(path);
    },
  };
}

async function renameOrCopy(temporary: string, target: OutputTarget, signal: AbortSignal | undefined): Promise<void> {
  const { path, stats } = target;
  if (!stats) return rename(systemPath(temporary), systemPath(path));
  // The owner first, because changing it clears some permissions. Only root can give a file away.
  await chown(systemPath(temporary), stats.uid, stats.gid).catch(() => {});
  await chmod(systemPath(temporary), stats.mode & 0o7777);
  try {
    await rename(systemPath(temporary), systemPath(path));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && NOT_RENAMED.has(error.code))) throw error;
    await copyInto(temporary, target, signal);
  }
}

/** Writes a complete file into an existing file, pipe or device. */
async function copyInto(
  temporary: string,
  { path, kind, stats }: OutputTarget,
  signal: AbortSignal | undefined,
): Promise<void> {
  const source = createReadStream(systemPath(temporary));
  if (kind !== 'stream') return pipeline(source, createWriteStream(systemPath(path), { flush: true }));
  const { write, close } = await openStream(path, stats, signal);
  try {
    for await (const chunk of source) await write(chunk);
  } finally {
    await close();
  }
}
