import { readdir } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';

import { readFailure, readLimited } from '@blip2/files';

import { exampleOfRecord, IMAGE_EXTENSIONS, problemOf } from './example-of-text.ts';
import { imageFile } from './read-pairs.ts';
import type { ExampleProblem, FoundExamples, TrainingExample } from './training-example.ts';

const MAX_TEXT_BYTES = 2 ** 16;

/**
 * Reads a folder of images, each with its caption in a file of the same name with `.txt`, as `blip2 caption --sidecar`
 * writes them; subfolders too. An image without one is a problem.
 * @throws Blip2Error `MISSING_FILE` if the folder cannot be read.
 */
export async function readFolder(folder: string): Promise<FoundExamples> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
    throw readFailure(cause, folder);
  });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .toSorted();
  const known = new Set(names);
  const examples: TrainingExample[] = [];
  const problems: ExampleProblem[] = [];
  for (const name of names) {
    const extension = extname(name);
    if (!IMAGE_EXTENSIONS.includes(extension.slice(1).toLowerCase())) continue;
    const sidecar = `${name.slice(0, -extension.length)}.txt`;
    const found = known.has(sidecar)
      ? exampleOfRecord({ caption: await textOf(join(folder, sidecar)) }, name, imageFile(join(folder, name), name))
      : problemOf(name, 'empty caption', `no ${sidecar}`);
    if ('fault' in found) problems.push(found);
    else examples.push(found);
  }
  return { examples, problems };
}

async function textOf(file: string): Promise<string> {
  return new TextDecoder().decode(await readLimited(file, MAX_TEXT_BYTES, { code: 'INVALID_ARGUMENT', where: file }));
}
