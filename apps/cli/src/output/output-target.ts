import { constants, type Stats } from 'node:fs';
import { access, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { mustBe } from '@blip2/interfaces';

import { argumentPaths } from '../images/argument-bytes.ts';
import { decodePath, nameOfPath, systemPath } from '../images/path-names.ts';
import { writeFailed } from './write-failed.ts';

/** The file that an output path leads to, and how it is written. */
export interface OutputTarget {
  /** The path with all symbolic links resolved, also that of a file that does not exist yet. */
  readonly path: string;
  /**
   * `replace`: written under a temporary name next to it, then renamed. `overwrite`: complete content is copied into
   * the existing file, because a new file would lose its other names (hard links) or cannot be created in its folder.
   * `stream`: written directly, as the shell's `>` does: pipes, devices and open files of a process (`/dev/stdout`).
   */
  readonly kind: 'replace' | 'overwrite' | 'stream';
  /** The existing file; `undefined` if there is none. */
  readonly stats: Stats | undefined;
}

/** Symbolic links that are followed before they count as a loop, as in Linux. */
const MAX_LINKS = 40;

/**
 * Finds the file that an output path leads to. Changes nothing.
 * @throws Blip2Error `INVALID_ARGUMENT` for a folder and for a name that is not UTF-8; `WRITE_FAILED` for a loop of
 * links, a missing folder or missing permissions.
 */
export async function outputTarget(file: string): Promise<OutputTarget> {
  if (/[/\\]$/.test(file)) throw mustBe('The output', 'a file', file, { fix: 'The name of a file must follow' });
  const given = (await argumentPaths([file]))(file);
  if (given !== file) throw mustBe('The name of an output', 'UTF-8', nameOfPath(given), { fix: 'Use another name' });
  try {
    const path = await withoutLinks(file);
    const stats = await stat(systemPath(path)).catch(undefinedIfMissing);
    if (stats?.isDirectory()) throw mustBe('The output', 'a file', file, { fix: 'It is an existing folder' });
    if (stats) await access(systemPath(path), constants.W_OK);
    return { path, kind: await kindOf(path, stats), stats };
  } catch (cause) {
    throw writeFailed(file, cause);
  }
}

async function kindOf(path: string, stats: Stats | undefined): Promise<OutputTarget['kind']> {
  if (stats && (!stats.isFile() || isDescriptor(path))) return 'stream';
  const canCreate = await access(systemPath(dirname(path)), constants.W_OK).then(
    () => undefined,
    (cause: unknown) => ({ cause }),
  );
  if (!stats && canCreate) throw canCreate.cause;
  return canCreate || (stats?.nlink ?? 1) > 1 ? 'overwrite' : 'replace';
}

/** Follows links by hand, because `realpath` fails if the file does not exist. */
async function withoutLinks(file: string): Promise<string> {
  let path = resolve(file);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const folder = decodePath(await realpath(systemPath(dirname(path)), 'buffer'));
    path = join(folder, basename(path));
    // The links of `/dev/stdout` and `/dev/fd/N` name pipes and deleted files, which have no path.
    if (isDescriptor(path)) return path;
    const link = await readlink(systemPath(path), 'buffer').catch(() => undefined);
    if (link === undefined) return path;
    path = resolve(folder, decodePath(link));
  }
  throw writeFailed(file, `more than ${MAX_LINKS} symbolic links`);
}

/** Whether a path is an open file of a process (Linux). */
function isDescriptor(path: string): boolean {
  return /^\/proc\/\d+\/(?:task\/\d+\/)?fd\/\d+$/.test(path) || /^\/dev\/fd\/\d+$/.test(path);
}

function undefinedIfMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
