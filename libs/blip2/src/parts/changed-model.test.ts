import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, storedTensorSource, writeSafetensors } from '@blip2/checkpoint';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { Blip2 } from '../tasks/blip2.ts';
import { buildUnchanged } from './build-unchanged.ts';
import { openCheckpointParts } from './checkpoint-parts.ts';

const root = join(import.meta.dirname, '../../../..');
const demo = join(root, 'apps/cli/models/blip2-opt-shapes');
const image = join(root, 'examples/left-of.png');
const CHANGED = expect.objectContaining({ code: 'MODEL_CHANGED' });

let folder = '';
/** The weights of the model in another order: a valid file of equal length. */
let reordered: Uint8Array;
beforeAll(async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'blip2-changed-'));
  const tensors = [...(await openCheckpoint(demo)).tensors.values()].toReversed();
  await writeSafetensors(
    join(scratch, 'model.safetensors'),
    tensors.map((tensor) => storedTensorSource(tensor)),
  );
  reordered = await readFile(join(scratch, 'model.safetensors'));
  await rm(scratch, { recursive: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-changed-'));
  await cp(demo, folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

const changes: Readonly<Record<string, () => Promise<void>>> = {
  'replaced by a file': async () => {
    await writeFile(join(folder, 'new'), reordered);
    await rename(join(folder, 'new'), join(folder, 'model.safetensors'));
  },
  'rewritten in place': async () => writeFile(join(folder, 'model.safetensors'), reordered),
};

describe.each(Object.entries(changes))('a model that is %s with its tensors in another order', (_, change) => {
  test.each(['inline', 'worker', 'process'] as const)('is refused at its first use: %s', async (isolate) => {
    await using model = await Blip2.fromPretrained(folder, { threads: 1, isolate });
    await change();
    await expect(model.caption(image)).rejects.toEqual(CHANGED);
  });

  test('is refused when a part is created later', async () => {
    await using parts = await openCheckpointParts(folder, { threads: 1 });
    await parts.qformer();
    await change();
    await expect(parts.vision()).rejects.toEqual(CHANGED);
  });
});

test.each(['config.json', 'tokenizer.json'])('a model whose %s changes while it is loaded is refused', async (name) => {
  const build = buildUnchanged(await openCheckpointParts(folder, { threads: 1 }), async (parts) => {
    await parts.vision();
    await writeFile(join(folder, name), '{}');
    return parts;
  });
  await expect(build).rejects.toEqual(CHANGED);
});
