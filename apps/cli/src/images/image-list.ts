import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';

import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { isUrl } from './image-inputs.ts';
import { readStdin } from './read-stdin.ts';

/**
 * Reads a list of images: one path or URL per line (or each ended by NUL, as by `find -print0`), or, in a `.jsonl`
 * file, one JSON string or `{ "image": … }` per
 * line. Paths are relative to the folder of the list, or to the working folder for `@-` (the list on stdin).
 */
export async function readImageList(
  file: string,
  environment: Pick<Environment, 'stdin'>,
  signal: AbortSignal,
): Promise<string[]> {
  const text =
    file === '-'
      ? new TextDecoder().decode(await readStdin(environment.stdin, 'a list of images', signal))
      : await readList(file);
  const folder = file === '-' ? '.' : dirname(file);
  const parse = file.toLowerCase().endsWith('.jsonl') ? parseJsonLine : (line: string): string => line;
  return text
    .replace(/^\uFEFF/, '')
    .split(text.includes('\0') ? '\0' : /\r?\n/)
    .map((line, index) => ({ line, where: `${file}:${index + 1}` }))
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, where }) => parse(line, where))
    .map((entry) => (isUrl(entry) || isAbsolute(entry) ? entry : join(folder, entry)));
}

async function readList(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new Blip2Error('MISSING_FILE', 'The list of images cannot be read', {
      where: file,
      cause,
      fix: 'If @ is the first character of a file name, write ./@name',
    });
  }
}

function parseJsonLine(line: string, where: string): string {
  const value = parseJson(line);
  const image: unknown = typeof value === 'object' && value !== null && 'image' in value ? value.image : value;
  if (typeof image !== 'string')
    throw mustBe('A line of the list', 'a JSON string or an object with "image"', line, { where });
  return image;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
