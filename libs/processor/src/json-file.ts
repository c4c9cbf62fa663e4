import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Blip2Error, type ErrorCode } from '@blip2/interfaces';

export type JsonObject = Readonly<Record<string, unknown>>;

export interface JsonFileRules {
  /** The code of a file that is there but unusable. */
  readonly code: ErrorCode;
  /** Larger files are refused unread. */
  readonly maxBytes: number;
}

/** Reads a JSON object from a file of a model folder; `undefined` if there is no such file. */
export async function readJsonFile(folder: string, name: string, { code, maxBytes }: JsonFileRules): Promise<JsonObject | undefined> {
  const file = join(folder, name);
  const stats = await stat(file).catch((cause: unknown) => missingOrThrow(cause, file));
  if (!stats) return undefined;
  if (!stats.isFile()) throw new Blip2Error(code, 'Not a regular file', { where: file });
  if (stats.size > maxBytes) throw new Blip2Error(code, 'File too large', { where: file, expected: `at most ${maxBytes} bytes`, got: `${stats.size}` });
  return parseJsonObject(await readFile(file), file, code);
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
    throw new Blip2Error(code, 'Not valid JSON', { where: file, cause, fix: 'The file may be incomplete: fetch it again' });
  }
  if (!isJsonObject(value)) throw new Blip2Error(code, 'Not a JSON object', { where: file });
  return value;
}

function missingOrThrow(cause: unknown, file: string): undefined {
  const reason = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (reason === 'ENOENT' || reason === 'ENOTDIR') return undefined;
  throw new Blip2Error('MISSING_FILE', 'Cannot open file', { where: file, cause });
}
