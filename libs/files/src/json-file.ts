import { join } from 'node:path';

import { Blip2Error, type ErrorCode } from '@blip2/interfaces';

import { refuseLfsPointer } from './lfs-pointer.ts';
import { type InvalidJson, type JsonLimits, parseJson } from './parse-json.ts';
import { readLimited } from './read-limited.ts';
import { findModelFile } from './safe-path.ts';

/** A parsed JSON object whose values have not been checked. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** How `readJsonFile` treats an unusable file. */
export interface JsonFileRules extends JsonLimits {
  /** Error code for a file that exists but is unusable. */
  readonly code: ErrorCode;
  /** Maximum size of the file. */
  readonly maxBytes: number;
}

/**
 * Reads a JSON object from a file of a model folder; `undefined` if the file does not exist. `name` may contain
 * subfolders. See `parseJson` for the accepted text.
 * @throws Blip2Error the code of `rules` if the file is too large, not UTF-8, not JSON, not an object, nested too
 * deeply, has too many values, or is a Git LFS pointer; `MISSING_FILE` if it cannot be read; `UNSAFE_PATH` for a link
 * that leaves the folder and its cache.
 */
export async function readJsonFile(
  folder: string,
  name: string,
  { code, ...limits }: JsonFileRules,
): Promise<JsonObject | undefined> {
  const file = join(folder, name);
  const real = await findModelFile(folder, name);
  if (real === undefined) return undefined;
  const bytes = await readLimited(real, limits.maxBytes, { code, where: file });
  refuseLfsPointer(bytes, file, code);
  return parseJsonObject(bytes, file, code, limits);
}

/** Whether a value is a JSON object: neither an array nor null. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJsonObject(bytes: Uint8Array, file: string, code: ErrorCode, limits: JsonLimits): JsonObject {
  const invalid: InvalidJson = (rule, details) =>
    new Blip2Error(code, `The file is not valid JSON: ${rule}`, { where: file, ...details });
  const value = parseJson(bytes, invalid, limits);
  if (isJsonObject(value)) return value;
  throw new Blip2Error(code, 'The file does not contain a JSON object', {
    where: file,
    fix: 'Check that it is the right file',
  });
}
