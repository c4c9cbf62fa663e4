import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type Checkpoint, openCheckpoint } from '@blip2/checkpoint';
import fc, { type Arbitrary } from 'fast-check';

import { BrokenPromise } from '../broken-promise.ts';
import { damagedBytes, damagedJson } from '../damage.ts';
import { defineTarget, type Target } from '../target.ts';
import { inTemporaryFolder } from '../temporary-folder.ts';
import { safetensors, soundHeader } from './sound-safetensors.ts';

const cases: Arbitrary<Uint8Array> = fc.oneof(
  soundHeader.map(({ header, dataBytes }) => safetensors(header, dataBytes)),
  soundHeader.chain(({ header, dataBytes }) => damagedJson([header]).map((damaged) => safetensors(damaged, dataBytes))),
  soundHeader.chain(({ header, dataBytes }) => damagedBytes([safetensors(header, dataBytes)])),
);

/** Files of weights: every accepted tensor lies within the data, and no two overlap. */
export const safetensorsTarget: Target<unknown> = defineTarget<Uint8Array>({
  name: 'safetensors',
  promise: 'A weight file is refused with a code, or its tensors fill the data without a gap or an overlap.',
  open: () =>
    inTemporaryFolder((folder) => ({
      cases,
      run: async (bytes) => {
        await writeFile(join(folder, 'model.safetensors'), bytes);
        expectTiled(await openCheckpoint(folder), bytes);
      },
    })),
});

/** Compares the tensors with the file independently of the reader's own rules. */
function expectTiled({ tensors }: Checkpoint, file: Uint8Array): void {
  const header = Number(Buffer.from(file).readBigUInt64LE(0)) + 8;
  const ordered = [...tensors.values()].toSorted(
    (one, other) => one.byteOffset - other.byteOffset || one.byteLength - other.byteLength,
  );
  let end = header;
  for (const { name, byteOffset, byteLength } of ordered) {
    if (byteOffset !== end)
      throw new BrokenPromise(`${name} begins at ${byteOffset}, the tensor before it ends at ${end}`);
    end += byteLength;
  }
  if (end !== file.byteLength) throw new BrokenPromise(`the tensors end at ${end}, the file at ${file.byteLength}`);
}
