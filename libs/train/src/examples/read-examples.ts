import { isFolder } from '@blip2/files';

import { readFolder } from './read-folder.ts';
import { readPairs } from './read-pairs.ts';
import { readTar } from './read-tar.ts';
import type { OpenedExamples } from './training-example.ts';

/**
 * Reads examples from a folder of images with texts next to them, a webdataset archive (`.tar`), or JSON lines.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_ARGUMENT`, `INVALID_ARCHIVE`.
 */
export async function readExamples(path: string): Promise<OpenedExamples> {
  if (/\.tar(\.gz)?$|\.tgz$/i.test(path)) return readTar(path);
  const found = (await isFolder(path)) ? await readFolder(path) : await readPairs(path);
  return { ...found, [Symbol.asyncDispose]: async () => {} };
}
