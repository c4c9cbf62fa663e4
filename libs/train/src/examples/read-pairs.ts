import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

import { readLimited } from '@blip2/files';

import { exampleOfRecord, parseRecord, problemOf } from './example-of-text.ts';
import type { ExampleImage, ExampleProblem, FoundExamples, TrainingExample } from './training-example.ts';

/** Some million lines. */
const MAX_PAIRS_BYTES: number = 2 ** 30;
/** More than any camera writes. */
const MAX_IMAGE_BYTES: number = 2 ** 28;

/**
 * Reads JSON lines `{ "image": path, "caption": text }` or `{ "image": path, "question": text, "answer": text }`. Paths
 * are relative to the folder of the file. Blank lines are skipped; other members of a line are ignored.
 * @throws Blip2Error `MISSING_FILE` if the file cannot be read; `INVALID_ARGUMENT` if it is no regular file or too
 * large.
 */
export async function readPairs(file: string): Promise<FoundExamples> {
  const bytes = await readLimited(file, MAX_PAIRS_BYTES, { code: 'INVALID_ARGUMENT', where: file });
  const examples: TrainingExample[] = [];
  const problems: ExampleProblem[] = [];
  const lines = new TextDecoder().decode(bytes).split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const found = exampleOf(line, `${basename(file)}, line ${index + 1}`, dirname(file));
    if ('fault' in found) problems.push(found);
    else examples.push(found);
  }
  return { examples, problems };
}

function exampleOf(line: string, where: string, folder: string): TrainingExample | ExampleProblem {
  const record = parseRecord(line);
  const image = record?.['image'];
  if (!record || typeof image !== 'string' || image === '') return problemOf(where, 'broken line', line);
  const path = resolve(folder, image);
  const example = exampleOfRecord(record, where, imageFile(path, image));
  return 'fault' in example || existsSync(path) ? example : problemOf(where, 'missing image', image);
}

/** An image in a file. */
export function imageFile(path: string, name: string = path): ExampleImage {
  return { name, read: () => readLimited(path, MAX_IMAGE_BYTES, { code: 'INVALID_IMAGE', where: name }) };
}
