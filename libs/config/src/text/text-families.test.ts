import { expect, test } from 'vitest';

import { T5Config } from './seq2seq/t5-config.ts';
import { TextConfig } from './text-config.ts';
import { licenceNote, textFamily, textModelTypes } from './text-families.ts';

test('a configuration is read by its model type, and as OPT without one', () => {
  for (const modelType of textModelTypes())
    expect(TextConfig.fromJson({ model_type: modelType }).modelType).toBe(modelType);
  expect(TextConfig.fromJson({}).modelType).toBe('opt');
  expect(() => TextConfig.fromJson({ model_type: 'falcon' })).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_ARCHITECTURE',
      message: expect.stringContaining(`one of ${textModelTypes().join(', ')}`) as string,
    }),
  );
});

test('every family declares its sizes', () => {
  const sizes = textModelTypes().map((type) => [
    type,
    textFamily(type).sizes(TextConfig.fromJson({ model_type: type })),
  ]);
  expect(Object.fromEntries(sizes)).toMatchObject({
    opt: { layers: 12, maxPositions: 2048, hasTiedHead: true },
    t5: { layers: 6, hasTiedHead: false },
    llama: { layers: 32, maxPositions: 2048, hasTiedHead: false },
  });
});

test("T5's hidden size is its d_model, under both names", () => {
  expect(T5Config.fromJson({ d_model: 24 }).hiddenSize).toBe(24);
  const created = T5Config.create({ hiddenSize: 40 });
  expect([created.hiddenSize, created.dModel]).toEqual([40, 40]);
  expect(T5Config.toJson(created)).toEqual({ model_type: 't5', d_model: 40 });
  expect(T5Config.create({ ...created, dModel: 48 }).hiddenSize).toBe(48);
});

test('the licence of a language model is known by the repository', () => {
  expect(licenceNote('Salesforce/blip2-flan-t5-xl')).toContain('Apache-2.0');
  expect(licenceNote('me/optimised')).toBeUndefined();
});
