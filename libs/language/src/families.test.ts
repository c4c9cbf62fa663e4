import { join } from 'node:path';

import { LlamaConfig, OptConfig, T5Config, type TextConfig, textModelTypes } from '@blip2/config';
import type { StoredTensor, WeightStore } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { languageFamilies, languageFamily, languageTensors, loadLanguageModel, planLanguage } from './families.ts';

const cases = join(import.meta.dirname, '../../../tools/parity/cases');
const configs: readonly TextConfig[] = [
  OptConfig.create({ hiddenSize: 32, ffnDim: 64, numHiddenLayers: 1, numAttentionHeads: 2, vocabSize: 40 }),
  T5Config.create({ dModel: 32, dFf: 64, dKv: 16, numLayers: 1, numHeads: 2, vocabSize: 40 }),
  LlamaConfig.create({
    hiddenSize: 32,
    intermediateSize: 64,
    numHiddenLayers: 1,
    numAttentionHeads: 2,
    vocabSize: 40,
  }),
];

test('a family is found by its model type; other types are refused with the registered ones', () => {
  for (const { modelType } of configs) expect(languageFamilies()).toContain(languageFamily(modelType));
  expect(() => languageFamily('no_such_model')).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_ARCHITECTURE',
      details: expect.objectContaining({
        expected: `one of ${textModelTypes().join(', ')}`,
        subject: 'no_such_model',
      }) as unknown,
    }),
  );
});

test('loads the language model of a full model by its model type', async () => {
  await using opt = await loadLanguageModel(join(cases, 'opt/checkpoint'), { threads: 1 });
  await using t5 = await loadLanguageModel(join(cases, 't5/checkpoint'), { threads: 1 });
  expect([opt.architecture, opt.config.modelType, t5.architecture, t5.config.modelType]).toEqual([
    'causal',
    'opt',
    'seq2seq',
    't5',
  ]);
});

describe('precisions of sensitive layers', () => {
  const precisions = (config: TextConfig, dtype: 'q4' | 'int8'): Record<string, string> => {
    const tensors = languageTensors(config, '').map(({ name, shape }): [string, StoredTensor] => [
      name,
      { name, shape, dtype: 'F32', file: '/m/model.safetensors', byteOffset: 0, byteLength: 4 },
    ]);
    const store: WeightStore = { folder: '/m', tensors: new Map(tensors) };
    const [plan = []] = planLanguage(config, { store, prefix: '' }, dtype);
    return Object.fromEntries(plan.map(({ name, precision }) => [name, precision]));
  };

  test.each([
    [0, 'model.decoder.embed_tokens.weight', 'model.decoder.layers.0.fc1.weight'],
    [1, 'shared.weight', 'encoder.block.0.layer.1.DenseReluDense.wo.weight'],
    [2, 'lm_head.weight', 'model.layers.0.mlp.down_proj.weight'],
  ] as const)('family %i: the head has 8 bits at q4, other layers 4', (index, head, other) => {
    expect(precisions(configs[index]!, 'q4')).toMatchObject({ [head]: 'q8', [other]: 'q4' });
    expect(precisions(configs[index]!, 'int8')).toMatchObject({ [head]: 'int8' });
  });

  test("T5's layers with large features have blocks at int8", () => {
    expect(precisions(configs[1]!, 'int8')).toMatchObject({
      'encoder.block.0.layer.1.DenseReluDense.wo.weight': 'q8',
      'decoder.block.0.layer.2.DenseReluDense.wo.weight': 'q8',
      'encoder.block.0.layer.1.DenseReluDense.wi.weight': 'int8',
    });
  });
});
