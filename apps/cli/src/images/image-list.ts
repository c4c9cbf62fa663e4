import { createReadStream } from 'node:fs';
import { dirname } from 'node:path';

import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { pathOfEntry } from './existing-path.ts';
import { isUrl } from './image-inputs.ts';
import { entriesOf } from './list-text.ts';
import { nameOfPath, systemPath } from './path-names.ts';
import { readStdin } from './read-stdin.ts';

/** Maximum size of a list: some million paths. */
const MAX_LIST_BYTES = 256 * 2 ** 20;

/** Maximum length of a path or URL, eight times the longest path of Linux. `data:` URLs may be longer. */
const MAX_ENTRY_LENGTH = 32_768;

/**
 * Reads a list of images: one path or URL per line (or each ended by NUL, as by `find -print0`), or, in a `.jsonl`
 * file, one JSON string or `{ "image": … }` per line. Paths are relative to the folder of the list, or to the working
 * folder for `@-` (the list on stdin).
 */
export async function readImageList(
  file: string,
  environment: Pick<Environment, 'stdin'>,
  signal: AbortSignal,
): Promise<string[]> {
  const bytes =
    file === '-' ? await readStdin(environment.stdin, 'a list of images', signal) : await readList(file, signal);
  const folder = file === '-' ? '.' : dirname(file);
  const parse = file.toLowerCase().endsWith('.jsonl') ? parseJsonLine : (line: string): string => line;
  const entries: string[] = [];
  for (const { text, where } of entriesOf(bytes, nameOfPath(file))) {
    const entry = parse(text, where);
    expectShort(entry, where);
    entries.push(isUrl(entry.trim()) ? entry.trim() : await pathOfEntry(entry, folder));
  }
  return entries;
}

function expectShort(entry: string, where: string): void {
  if (entry.length > MAX_ENTRY_LENGTH && !/^\s*data:/i.test(entry))
    throw mustBe('A line of the list', `at most ${MAX_ENTRY_LENGTH} characters`, entry.length, {
      where,
      fix: 'Check that the file is a list of images',
    });
}

async function readList(file: string, signal: AbortSignal): Promise<Uint8Array> {
  const where = nameOfPath(file);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of createReadStream(systemPath(file), { signal })) {
      chunks.push(chunk);
      length += chunk.length;
      // A device may never end.
      if (length > MAX_LIST_BYTES) break;
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw new Blip2Error('MISSING_FILE', 'The list of images cannot be read', {
      where,
      cause,
      fix: 'If @ is the first character of a file name, write ./@name',
    });
  }
  if (length > MAX_LIST_BYTES)
    throw mustBe('A list of images', `at most ${MAX_LIST_BYTES} bytes`, 'a larger file', { where });
  return Buffer.concat(chunks, length);
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
