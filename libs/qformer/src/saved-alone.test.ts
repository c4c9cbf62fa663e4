import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, saveCheckpoint, storedTensorSource } from '@blip2/checkpoint';
import { Blip2QFormerConfig, writePartConfig } from '@blip2/config';
import type { PatchFeatures, QueryFeatures } from '@blip2/interfaces';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2QFormerModel } from './blip2-qformer-model.ts';
import { TextConditionedQFormer } from './text-conditioned-qformer.ts';

const sizes = {
  vocabSize: 40,
  hiddenSize: 16,
  intermediateSize: 24,
  numHiddenLayers: 3,
  numAttentionHeads: 2,
  encoderHiddenSize: 12,
  initializerRange: 0.3,
};
const values = (length: number): Float32Array => Float32Array.from({ length }, (_, index) => Math.sin(index));
const queryEmbeds: QueryFeatures = { type: 'float32', dims: [2, 3, 16], data: values(96) };
const encoderHiddenStates: PatchFeatures = { type: 'float32', dims: [2, 5, 12], data: values(120) };
const noQueries = expect.objectContaining({
  code: 'MISSING_WEIGHT',
  message: expect.stringContaining('Pass queryEmbeds to forward') as string,
}) as unknown;

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-alone-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

// HF saves no query tokens with these classes, since they belong to the whole model.
describe.each([
  ['blip_2_qformer', 'Blip2QFormerModel', 'layernorm.weight'],
  ['instructblip_qformer', 'InstructBlipQFormerModel', 'embeddings.layernorm.weight'],
] as const)('a Q-Former of type %s that was saved without query tokens', (modelType, architecture, norm) => {
  const config = Blip2QFormerConfig.create({ ...sizes, modelType });
  const folder = (): string => join(scratch, modelType);

  test('loads and computes the same from query embeddings', async () => {
    await using random = await Blip2QFormerModel.fromConfig(config, { seed: 1, threads: 1, numQueryTokens: 3 });
    const whole = join(scratch, `${modelType}-with-queries`);
    await random.savePretrained(whole);
    const { tensors } = await openCheckpoint(whole);
    expect([...tensors.keys()]).toContain(norm);
    const own = [...tensors.values()].filter(({ name }) => name !== 'query_tokens');
    await saveCheckpoint(
      folder(),
      own.map((tensor) => storedTensorSource(tensor)),
    );
    await writePartConfig(folder(), Blip2QFormerConfig.toJson(config), { modelType, architecture, dtype: 'float32' });

    await using model = await Blip2QFormerModel.fromPretrained(folder(), { threads: 1 });
    await model.prepare();
    expect(model.numQueryTokens).toBe(0);
    const { lastHiddenState } = await model.forward({ queryEmbeds, encoderHiddenStates });
    expect(lastHiddenState).toEqual((await random.forward({ queryEmbeds, encoderHiddenStates })).lastHiddenState);
  });

  test('refuses calls that use the learned queries', async () => {
    await using model = await Blip2QFormerModel.fromPretrained(folder(), { threads: 1 });
    await expect(model.query(encoderHiddenStates)).rejects.toEqual(noQueries);
    await expect(model.forward({ encoderHiddenStates })).rejects.toEqual(noQueries);
  });

  test('is saved without query tokens again', async () => {
    const target = join(scratch, `${modelType}-again`);
    await using model = await Blip2QFormerModel.fromPretrained(folder(), { threads: 1 });
    await model.savePretrained(target);
    expect([...(await openCheckpoint(target)).tensors.keys()]).not.toContain('query_tokens');
  });

  test('loads as a text-conditioned Q-Former', async () => {
    await using model = await TextConditionedQFormer.fromPretrained(folder(), { threads: 1 });
    const states = { queryEmbeds, encoderHiddenStates };
    await using plain = await Blip2QFormerModel.fromPretrained(folder(), { threads: 1 });
    const { lastHiddenState } = await model.forward(states);
    expect(lastHiddenState).toEqual((await plain.forward(states)).lastHiddenState);
  });
});

test('a whole model without query tokens is incomplete', async () => {
  await using random = await Blip2QFormerModel.fromConfig(Blip2QFormerConfig.create(sizes), { threads: 1 });
  const saved = join(scratch, 'source');
  await random.savePretrained(saved);
  const folder = join(scratch, 'whole');
  const own = [...(await openCheckpoint(saved)).tensors.values()].filter(({ name }) => name !== 'query_tokens');
  await saveCheckpoint(
    folder,
    own.map((tensor) => storedTensorSource(tensor, `qformer.${tensor.name}`)),
  );
  await writePartConfig(folder, Blip2QFormerConfig.toJson(random.config), {
    modelType: 'blip_2_qformer',
    architecture: 'Blip2QFormerModel',
    dtype: 'float32',
  });
  await expect(Blip2QFormerModel.fromPretrained(folder)).rejects.toMatchObject({ code: 'MISSING_WEIGHT' });
});
