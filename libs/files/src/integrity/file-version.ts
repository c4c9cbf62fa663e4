import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';

import { Blip2Error, type VersionedFile } from '@blip2/interfaces';

/** Identifies the contents of a file without reading them: device, inode, size and modification time. */
export function versionOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs].join(':');
}

/** The version of a file; undefined if it does not exist. Links are followed. */
export async function fileVersion(file: string): Promise<string | undefined> {
  return stat(file, { bigint: true }).then(versionOf, () => undefined);
}

/** Throws if a file was replaced or written to since it was opened: `found` is its version now. */
export function requireVersion({ file, version }: VersionedFile, found: string | undefined): void {
  if (found === version) return;
  throw new Blip2Error('MODEL_CHANGED', 'A file of the model was changed after the model was loaded', {
    where: file,
    got: found === undefined ? 'no file' : 'another version',
    fix: 'Load the model again',
  });
}

/**
 * Compares files with the versions in which they were opened.
 * @throws Blip2Error `MODEL_CHANGED`
 */
export async function requireVersions(files: Iterable<VersionedFile>): Promise<void> {
  for (const each of files) requireVersion(each, await fileVersion(each.file));
}

/**
 * Compares mapped files with the versions that were mapped. Files that were replaced or deleted do not matter: the
 * mapping
 * keeps their contents, but shows what was written to them.
 * @throws Blip2Error `MODEL_CHANGED`
 */
export async function requireUnchangedInPlace(files: Iterable<VersionedFile>): Promise<void> {
  for (const each of files) {
    const found = await fileVersion(each.file);
    if (found !== undefined && inodeOf(found) === inodeOf(each.version)) requireVersion(each, found);
  }
}

function inodeOf(version: string): string {
  return version.split(':').slice(0, 2).join(':');
}
