import { Blip2Error } from '@blip2/interfaces';

import { isJsonObject, type JsonObject } from './json-file.ts';
import { refuseLfsPointer } from './lfs-pointer.ts';
import { MAX_INDEX_BYTES, MAX_SHARDS, MAX_TENSORS } from './limits.ts';
import { type JsonLimits, parseJson } from './parse-json.ts';
import { readLimited } from './read-limited.ts';

/** The shard of each tensor, by tensor name, from `model.safetensors.index.json`. */
export type ShardIndex = ReadonlyMap<string, string>;

/** Limits on an index: its tensors, and some metadata. */
const LIMITS: JsonLimits = { maxValues: 2 * MAX_TENSORS, maxKeys: MAX_TENSORS + 1000, maxContainers: 1000 };

function invalidIndex(
  what: string,
  where: string,
  details: { expected?: string; got?: string; fix?: string } = {},
): Blip2Error {
  return new Blip2Error('INVALID_CHECKPOINT', `The shard index is not valid${what}`, {
    where,
    fix: 'Download or copy the file again',
    ...details,
  });
}

/**
 * Reads a shard index. `file` has its links resolved. The file names in the index are still untrusted: pass each to
 * `resolveFile`.
 * @throws Blip2Error `INVALID_CHECKPOINT`, `MISSING_FILE` if it cannot be read.
 */
export async function readShardIndex(file: string): Promise<ShardIndex> {
  return parseShardIndex(await readLimited(file, MAX_INDEX_BYTES, { code: 'INVALID_CHECKPOINT' }), file);
}

/**
 * Parses the content of a shard index. `file` is named in errors.
 * @throws Blip2Error `INVALID_CHECKPOINT`
 */
export function parseShardIndex(bytes: Uint8Array, file: string): ShardIndex {
  refuseLfsPointer(bytes, file, 'INVALID_CHECKPOINT');
  const entries = Object.entries(weightMap(bytes, file));
  if (entries.length === 0) throw invalidIndex(': it lists no tensors', file);
  if (entries.length > MAX_TENSORS)
    throw invalidIndex(': it lists too many tensors', file, {
      expected: `at most ${MAX_TENSORS}`,
      got: `${entries.length}`,
    });
  const index = new Map<string, string>();
  for (const [name, shard] of entries) {
    if (typeof shard !== 'string' || shard === '')
      throw invalidIndex(': a tensor has no file', file, { got: JSON.stringify(name.slice(0, 200)) });
    index.set(name, shard);
  }
  const shards = new Set(index.values()).size;
  if (shards > MAX_SHARDS)
    throw invalidIndex(': it lists too many shards', file, { expected: `at most ${MAX_SHARDS}`, got: `${shards}` });
  return index;
}

function weightMap(bytes: Uint8Array, file: string): JsonObject {
  const json = parseJson(bytes, (rule, details) => invalidIndex(` JSON: ${rule}`, file, details), LIMITS);
  const map = isJsonObject(json) ? json['weight_map'] : undefined;
  if (isJsonObject(map)) return map;
  throw invalidIndex(': it has no weight_map', file);
}
