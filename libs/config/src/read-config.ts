import { open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

/** Published files have some 10 kB; those with a thousand class names, 100 kB. */
const MAX_CONFIG_BYTES = 2 ** 20;
/**
 * The Hugging Face cache: the files of `ROOT/models--OWNER--NAME/snapshots/REVISION` are links into `blobs` of the
 * repository or of the cache.
 */
const SNAPSHOT_FOLDER = /^(?<root>.*)[\\/](?<repository>models--[^\\/]+)[\\/]snapshots[\\/][^\\/]+(?:[\\/].*)?$/;

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** The real path of config.json: inside the folder, or inside the same Hugging Face cache. */
async function resolveConfig(folder: string): Promise<string> {
  const file = join(folder, 'config.json');
  const [realFolder, real] = await Promise.all([realpath(folder), realpath(file)]).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'There is no config.json', {
      where: file,
      fix: 'Give the folder of a Hugging Face checkpoint',
      cause,
    });
  });
  const { root, repository } = SNAPSHOT_FOLDER.exec(realFolder)?.groups ?? {};
  const allowed =
    root === undefined || repository === undefined
      ? [realFolder]
      : [realFolder, join(root, repository), join(root, 'blobs')];
  if (!allowed.some((place) => isInside(place, real)))
    throw new Blip2Error('UNSAFE_PATH', 'A link leads out of the checkpoint', {
      expected: `a file inside ${realFolder}`,
      got: real,
      where: file,
    });
  return real;
}

async function readBytes(file: string): Promise<Uint8Array> {
  const found = await stat(file);
  if (!found.isFile()) throw new Blip2Error('INVALID_CONFIG', 'config.json is not a regular file', { where: file });
  if (found.size === 0) throw new Blip2Error('INVALID_CONFIG', 'config.json is empty', { where: file });
  if (found.size > MAX_CONFIG_BYTES)
    throw new Blip2Error('INVALID_CONFIG', 'config.json is too large', {
      expected: `at most ${MAX_CONFIG_BYTES} bytes`,
      got: `${found.size}`,
      where: file,
    });
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'config.json cannot be opened', { where: file, cause });
  });
  try {
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/**
 * Reads `folder/config.json` as JSON, unchecked: give it to a `fromJson`. Fails with `MISSING_FILE`, `UNSAFE_PATH` (a
 * link out of the folder and its cache), or
 * `INVALID_CONFIG` if it is too large, not UTF-8 or no JSON.
 */
export async function readConfig(folder: string): Promise<unknown> {
  const file = await resolveConfig(folder);
  const bytes = await readBytes(file);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Blip2Error('INVALID_CONFIG', 'config.json is not JSON', { where: file, cause });
  }
}
