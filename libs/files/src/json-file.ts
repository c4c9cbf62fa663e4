import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error, type ErrorCode } from '@blip2/interfaces';

import { refuseLfsPointer } from './lfs-pointer.ts';
import { findModelFile } from './safe-path.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonFileRules {
  /** The code of a file that is there but unusable. */
  readonly code: ErrorCode;
  /** Larger files are refused unread. */
  readonly maxBytes: number;
}

/**
 * Reads a JSON object from a file of a model folder; `undefined` if there is no such file. `name` may begin with
 * folders inside. Fails with the code of the rules, `MISSING_FILE`, or
 * `UNSAFE_PATH` for a link out of the folder and its cache.
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
  if (!stats.isFile()) throw new Blip2Error(code, 'Not a regular file', { where: file });
  if (stats.size > maxBytes)
    throw new Blip2Error(code, 'File too large', {
      where: file,
      expected: `at most ${maxBytes} bytes`,
      got: `${stats.size}`,
    });
  const bytes = await readBytes(real, file);
  refuseLfsPointer(bytes, file, code);
  return parseJsonObject(bytes, file, code);
}

/** Whether a value is a JSON object (no array, not null). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJsonObject(bytes: Uint8Array, file: string, code: ErrorCode): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Blip2Error(code, 'Not valid JSON', {
      where: file,
      cause,
      fix: 'The file may be incomplete: fetch it again',
    });
  }
  if (!isJsonObject(value)) throw new Blip2Error(code, 'Not a JSON object', { where: file });
  return value;
}

async function readBytes(real: string, file: string): Promise<Uint8Array> {
  return readFile(real).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'Cannot open file', { where: file, cause });
  });
}
