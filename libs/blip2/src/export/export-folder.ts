import { lstat, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { createTemporaryFolder, makeFolder, systemCode, wrapWriteErrors } from '@blip2/files';
import { Blip2Error, mustBe } from '@blip2/interfaces';

/**
 * Fills a folder: `fill` writes to a temporary folder next to it, which takes its place when everything is written. If
 * `fill` fails, nothing is left. With `force`, the folder may have contents: files of the same names are replaced,
 * others stay.
 * @throws Blip2Error `INVALID_ARGUMENT` for a folder that is not empty, without `force`; `WRITE_FAILED`; whatever
 * `fill` throws.
 */
export async function fillFolder(
  folder: string,
  force: boolean,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  const target = resolve(folder);
  const contents = await contentsOf(target);
  if (contents.length > 0 && !force) throw notEmpty(folder, contents.length);
  const parent = dirname(target);
  const made = await wrapWriteErrors(parent, makeFolder(parent));
  try {
    const temporary = await createTemporaryFolder(parent, `export-${basename(target)}`);
    try {
      // Made here, so that it has the permissions of other folders and not those of a temporary one.
      const filled = join(temporary, 'files');
      await makeFolder(filled);
      await fill(filled);
      // Others may have written there meanwhile.
      const [first] = await contentsOf(target);
      if (first !== undefined && !force) throw notEmpty(folder, 1);
      await wrapWriteErrors(folder, first === undefined ? replaceEmpty(filled, target) : moveAll(filled, target));
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
  } catch (error) {
    // Parents that were made for this folder; those with contents stay.
    if (made !== undefined) await removeEmpty(parent, dirname(made));
    throw error;
  }
}

function notEmpty(folder: string, count: number): Blip2Error {
  return mustBe('folder', 'an empty or a new folder', folder, {
    where: `${folder} with ${count} ${count === 1 ? 'entry' : 'entries'}`,
    fix: 'Choose another folder, or pass force (--force) to replace files of the same names',
  });
}

/** The entries of a folder; none if it does not exist. */
async function contentsOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    throw mustBe('folder', 'a folder', folder, { where: systemCode(cause) ?? String(cause), cause });
  }
}

async function replaceEmpty(temporary: string, target: string): Promise<void> {
  await rmdir(target).catch((cause: unknown) => {
    if (systemCode(cause) !== 'ENOENT') throw cause;
  });
  await rename(temporary, target);
}

/** Moves files one by one; folders are merged. */
async function moveAll(from: string, to: string): Promise<void> {
  await makeFolder(to);
  for (const name of await readdir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if ((await lstat(source)).isDirectory()) await moveAll(source, target);
    else await rename(source, target);
  }
}

async function removeEmpty(folder: string, until: string): Promise<void> {
  for (let at = folder; at !== until && at !== dirname(at); at = dirname(at))
    if (
      !(await rmdir(at).then(
        () => true,
        () => false,
      ))
    )
      return;
}
