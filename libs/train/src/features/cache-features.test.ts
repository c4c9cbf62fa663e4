import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Features, encoderKey } from '@blip2/blip2';
import { computeFeatures, openFeatureStore } from '@blip2/features';
import { expect, test } from 'vitest';

import { readPairs } from '../examples/read-pairs.ts';
import { demo, pairsFile, recorded, temporaryFolder } from '../run/fixtures/shape-pairs.ts';
import { train } from '../run/train.ts';
import type { PreparedRun } from '../run/trainer-port.ts';

const SETTINGS = { ...recorded.settings, train: ['projection'], threads: 1, steps: 2 } as const;

test('training takes the features that were computed before, with the same losses', async () => {
  const folder = await temporaryFolder();
  const pairs = await pairsFile(folder);
  const { examples } = await readPairs(pairs);
  const kept = join(folder, 'kept');
  {
    await using store = await openFeatureStore(kept, { encoder: await encoderKey(demo) });
    await using features = await Blip2Features.fromPretrained(demo);
    const images = examples.map(({ image }) => image);
    const encode = (files: readonly Uint8Array[]): ReturnType<typeof features.embed> =>
      features.embed({ images: files }, { part: 'vision' });
    for await (const { status } of computeFeatures(images, store, encode)) expect(status).not.toBe('failed');
    expect(store.size).toBeGreaterThan(0);
  }
  const run = async (name: string, features: string): Promise<{ losses: number[]; encoded: number | undefined }> => {
    const losses: number[] = [];
    let prepared: PreparedRun | undefined;
    await train({
      ...SETTINGS,
      pairs,
      model: demo,
      output: join(folder, name),
      features,
      onStart: (start) => (prepared = start),
      onStep: ({ loss }) => void losses.push(loss),
    });
    return { losses, encoded: prepared?.encoded };
  };
  const taken = await run('taken', kept);
  const own = await run('own', join(folder, 'cache'));
  expect(taken.encoded).toBe(0);
  expect(own.encoded).toBeGreaterThan(0);
  for (const [step, loss] of own.losses.entries())
    expect(Math.abs((taken.losses[step] ?? NaN) / loss - 1)).toBeLessThan(1e-4);
  expect(await readdir(join(folder, 'cache'))).toEqual([await encoderKey(demo)]);
});
