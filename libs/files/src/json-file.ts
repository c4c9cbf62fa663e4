import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error, type ErrorCode } from '@blip2/interfaces';

import { refuseLfsPointer } from './lfs-pointer.ts';
import { findModelFile } from './safe-path.ts';

/** A parsed JSON object whose values have not been checked. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** How `readJsonFile` treats an unusable file. */
export interface JsonFileRules {
  /** Error code for a file that exists but is unusable. */
  readonly code: ErrorCode;
  /** Larger files are refused before they are read. */
  readonly maxBytes: number;
}

/**
 * Reads a JSON object from a file of a model folder; `undefined` if the file does not exist. `name` may contain
 * subfolders.
 * @throws Blip2Error the code of `rules` if the file is too large, not UTF-8, not JSON, not an object or a Git LFS
 * pointer; `MISSING_FILE` if it cannot be opened; `UNSAFE_PATH` for a link that leaves the folder and its cache.
 */
export async function readJsonFile(
  folder: string,
  name: string,
  { code, maxBytes }: JsonFileRules,
): Promise<JsonObject | undefined> {
  const file = join(folder, name);
  const real = await findModelFile(folder, name);
  if (real === undefined) return undefined;
  const stats = await stat(real);
  if (!stats.isFile())
    throw new Blip2Error(code, 'The file is not a regular file', {
      where: file,
      fix: 'Download or copy the file again',
    });
  if (stats.size > maxBytes)
    throw new Blip2Error(code, 'The file is too large', {
      where: file,
      expected: `at most ${maxBytes} bytes`,
      got: `${stats.size}`,
      fix: 'Check that it is the right file',
    });
  const bytes = await readBytes(real, file);
  refuseLfsPointer(bytes, file, code);
  return parseJsonObject(bytes, file, code);
}

/** Whether a value is a JSON object: neither an array nor null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJsonObject(bytes: Uint8Array, file: string, code: ErrorCode): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Blip2Error(code, 'The file is not valid JSON', {
      where: file,
      cause,
      fix: 'Download or copy the file again, it may be incomplete',
    });
  }
  if (!isJsonObject(value))
    throw new Blip2Error(code, 'The file does not contain a JSON object', {
      where: file,
      fix: 'Check that it is the right file',
    });
  return value;
}

async function readBytes(real: string, file: string): Promise<Uint8Array> {
  return readFile(real).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'The file cannot be opened', {
      where: file,
      fix: 'Check its permissions',
      cause,
    });
  });
}
