import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

import { readLimited } from '@blip2/files';

import type { ExampleFault, ExampleProblem, FoundExamples, TrainingExample } from './training-example.ts';

/** Some million lines. */
const MAX_PAIRS_BYTES: number = 2 ** 30;
/** More than any camera writes. */
const MAX_IMAGE_BYTES: number = 2 ** 28;
/** Length of a text in messages. */
const SHOWN = 60;

/**
 * Reads JSON lines `{ "image": path, "caption": text }` or `{ "image": path, "question": text, "answer": text }`. Paths
 * are relative to the folder of the file. Blank lines are skipped; other members of a line are ignored.
 * @throws Blip2Error `MISSING_FILE` if the file cannot be read; `INVALID_ARGUMENT` if it is no regular file or too large.
 */
export async function readPairs(file: string): Promise<FoundExamples> {
  const bytes = await readLimited(file, MAX_PAIRS_BYTES, { code: 'INVALID_ARGUMENT', where: file });
  const examples: TrainingExample[] = [];
  const problems: ExampleProblem[] = [];
  const lines = new TextDecoder().decode(bytes).split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const where = `${basename(file)}, line ${index + 1}`;
    const found = exampleOf(line, where, dirname(file));
    if ('fault' in found) problems.push(found);
    else examples.push(found);
  }
  return { examples, problems };
}

function exampleOf(line: string, where: string, folder: string): TrainingExample | ExampleProblem {
  const problem = (fault: ExampleFault, got: unknown): ExampleProblem => ({
    where,
    fault,
    got: shorten(typeof got === 'string' ? got : (JSON.stringify(got) ?? 'nothing')),
  });
  const value = parse(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return problem('broken line', line);
  const { image, caption, question, answer }: Readonly<Record<string, unknown>> = { ...value };
  if (typeof image !== 'string' || image === '') return problem('broken line', line);
  const isCaption = caption !== undefined;
  const isAnswer = question !== undefined || answer !== undefined;
  if (isCaption === isAnswer) return problem('broken line', line);
  const text = isCaption ? caption : answer;
  if (typeof text !== 'string' || (isAnswer && typeof question !== 'string')) return problem('broken line', line);
  if (text.trim() === '') return problem(isCaption ? 'empty caption' : 'empty answer', text);
  if (typeof question === 'string' && question.trim() === '') return problem('empty question', question);
  const path = resolve(folder, image);
  if (!existsSync(path)) return problem('missing image', image);
  return {
    image: imageFile(path, image),
    text: text.trim(),
    ...(typeof question === 'string' && { question: question.trim() }),
    where,
  };
}

/** An image in a file. */
export function imageFile(path: string, name: string = path): TrainingExample['image'] {
  return { name, read: () => readLimited(path, MAX_IMAGE_BYTES, { code: 'INVALID_IMAGE', where: name }) };
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function shorten(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
