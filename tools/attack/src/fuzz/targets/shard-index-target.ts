import { realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import fc, { type Arbitrary } from 'fast-check';

import { BrokenPromise } from '../broken-promise.ts';
import { damagedBytes, damagedJson } from '../damage.ts';
import { defineTarget, type Target } from '../target.ts';
import { inTemporaryFolder } from '../temporary-folder.ts';
import { safetensors } from './sound-safetensors.ts';

const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const INDEX = {
  metadata: { total_size: 24 },
  weight_map: { 'a.weight': SHARDS[0], 'a.bias': SHARDS[0], 'b.weight': SHARDS[1] },
};

/** Places outside the folder that an index may name. */
const outside = fc.constantFrom('../x.safetensors', '/etc/passwd', 'C:\\x', './../../x', 'a/../../x', '..', '.', '');

const cases: Arbitrary<Uint8Array> = fc.oneof(
  damagedJson([INDEX]).map((json) => Buffer.from(JSON.stringify(json))),
  damagedBytes([Buffer.from(JSON.stringify(INDEX))]),
  outside.map((place) => Buffer.from(JSON.stringify({ ...INDEX, weight_map: { ...INDEX.weight_map, c: place } }))),
);

/** Shard indexes: every accepted tensor is read from a file of the folder. */
export const shardIndexTarget: Target<unknown> = defineTarget<Uint8Array>({
  name: 'shard-index',
  promise: 'A shard index is refused with a code, or every tensor is in a file of the folder.',
  open: () =>
    inTemporaryFolder(async (made) => {
      const folder = await realpath(made);
      const tensor = (begin: number): unknown => ({ dtype: 'F32', shape: [2], data_offsets: [begin, begin + 8] });
      await writeFile(join(folder, SHARDS[0]), safetensors({ 'a.weight': tensor(0), 'a.bias': tensor(8) }, 16));
      await writeFile(join(folder, SHARDS[1]), safetensors({ 'b.weight': tensor(0) }, 8));
      return {
        cases,
        run: async (bytes) => {
          await writeFile(join(folder, 'model.safetensors.index.json'), bytes);
          const { tensors } = await openCheckpoint(folder);
          for (const { name, file } of tensors.values()) {
            if (dirname(await realpath(file)) !== folder) throw new BrokenPromise(`${name} is read from ${file}`);
          }
        },
      };
    }),
});
