/** What every decoder-only family of this package does, over the checkpoints of the parity tests. */
import { join } from 'node:path';

import { readConfig, TextConfig } from '@blip2/config';
import { describe, expect, test } from 'vitest';

import { languageFamily, languageInitializer, languageTensors } from '../families.ts';
import { cases, IDS, type ModelOf, relativeError, testedModels, testFamily } from '../fixtures/family-tests.ts';

const models = testedModels('causal', async (model) => (await model.forward({ inputIds: [IDS] })).logits.data);
const { load, logitsOf } = models;

describe.each(['llama', 'qwen2', 'qwen3', 'mistral', 'phi3', 'gemma3-text', 'gpt2'])('%s', (name) => {
  const folder = join(cases, name, 'checkpoint');
  testFamily(name, models);

  test('random weights have the distribution of HF, and depend on the seed', async () => {
    const config = TextConfig.fromJson(await readConfig(folder));
    const { part } = languageFamily(config.modelType);
    const initialize = languageInitializer(config);
    for (const { name, shape } of languageTensors(config, '')) {
      if (/(?:bias)$/.test(name)) expect(initialize(name, shape), name).toEqual({ kind: 'zeros' });
    }
    const scores = async (seed: number): Promise<Float32Array> => {
      await using model = await part.fromConfig(config, { seed, threads: 1 });
      return await logitsOf(model as ModelOf<'causal'>);
    };
    expect(await scores(1)).toEqual(await scores(1));
    expect(await scores(1)).not.toEqual(await scores(2));
  });

  // Measured: q8 2.2 to 5.1 %, int8 2.2 to 4.2 %. Weights with a deviation of 0.3 make the layers exaggerate errors.
  test('8-bit weights change the logits by a few per cent', async () => {
    await using exact = await load(folder);
    const expected = await logitsOf(exact);
    const errorAt = async (dtype: 'q8' | 'int8'): Promise<number> => {
      await using model = await load(folder, { dtype });
      return relativeError(await logitsOf(model), expected);
    };
    const [q8, int8] = [await errorAt('q8'), await errorAt('int8')];
    expect(Math.min(q8, int8)).toBeGreaterThan(0);
    expect(Math.max(q8, int8)).toBeLessThan(0.06);
  });
});
