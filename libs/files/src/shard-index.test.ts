import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { MAX_SHARDS, MAX_TENSORS } from './limits.ts';
import { readShardIndex } from './shard-index.ts';
import { INDEX_FILE } from './weight-files.ts';

let folder = '';
let file = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shard-index-'));
  file = join(folder, INDEX_FILE);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const mapOf = (count: number, shard: (i: number) => string): string =>
  JSON.stringify({ weight_map: Object.fromEntries(Array.from({ length: count }, (_, i) => [`t${i}`, shard(i)])) });

test('reads the shard of each tensor and keeps the names as they are', async () => {
  await writeFile(file, '{"metadata":{},"weight_map":{"a":"one","__proto__":"../two"}}');
  expect([...(await readShardIndex(file))]).toEqual([
    ['a', 'one'],
    ['__proto__', '../two'],
  ]);
});

test.each<[string, string | Uint8Array, RegExp]>([
  ['not JSON', '{', /not valid JSON: its syntax is wrong/],
  ['not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), /not valid JSON: it is not UTF-8/],
  ['an array', '[]', /no weight_map/],
  ['null', 'null', /no weight_map/],
  ['without weight_map', '{}', /no weight_map/],
  ['with an array as weight_map', '{"weight_map":[]}', /no weight_map/],
  ['without tensors', '{"weight_map":{}}', /no tensors/],
  ['with a number as file', '{"weight_map":{"a":1}}', /has no file .*got "a"/],
  ['with an empty file name', '{"weight_map":{"a":""}}', /has no file .*got "a"/],
  ['of too many tensors', mapOf(MAX_TENSORS + 1, () => 'one'), /too many tensors/],
  ['of far too many tensors', mapOf(2 * MAX_TENSORS, () => 'one'), /not valid JSON: it has too many keys/],
  ['of brackets', '['.repeat(3_000_000), /not valid JSON: it has too many levels/],
  ['of too many shards', mapOf(MAX_SHARDS + 1, (i) => `${i}`), /too many shards/],
  ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1\nsize 10\n', /Git LFS pointer/],
])('refuses an index that is %s', async (_, content, message) => {
  await writeFile(file, content);
  await expect(readShardIndex(file)).rejects.toMatchObject({
    code: 'INVALID_CHECKPOINT',
    message: expect.stringMatching(message),
  });
});

test('refuses a large index before reading it', async () => {
  await writeFile(file, '');
  await truncate(file, 4_000_001);
  await expect(readShardIndex(file)).rejects.toMatchObject({
    code: 'INVALID_CHECKPOINT',
    message: expect.stringContaining('too large'),
  });
});
