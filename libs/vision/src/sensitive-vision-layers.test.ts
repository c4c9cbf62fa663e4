import { Blip2VisionConfig, Dinov2Config, SiglipVisionConfig, VitConfig } from '@blip2/config';
import type { StoredTensor, WeightStore } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { visionTensors } from './blip2/blip2-vision-graph.ts';
import { planVision, visionFamily } from './families.ts';

const config = Blip2VisionConfig.create({
  hiddenSize: 32,
  intermediateSize: 64,
  numHiddenLayers: 2,
  numAttentionHeads: 2,
  imageSize: 8,
  patchSize: 4,
});
const anyTensor = { dtype: 'F32', file: '/m/model.safetensors', byteOffset: 0, byteLength: 4 } as const;
const stored = visionTensors(config, '').map(({ name, shape }): [string, StoredTensor] => [
  name,
  { ...anyTensor, name, shape },
]);
const store: WeightStore = { folder: '/m', tensors: new Map(stored) };
/** Precision by name of the matrices of a layer, without their path. */
const planned = (dtype: Parameters<typeof planVision>[2], layer = 1): Record<string, string> => {
  const path = `encoder.layers.${layer}.`;
  const weights =
    planVision(config, { store, prefix: '' }, dtype)?.filter(
      ({ name, shape }) => name.startsWith(path) && shape.length === 2,
    ) ?? [];
  return Object.fromEntries(weights.map(({ name, precision }) => [name.replace(path, ''), precision]));
};

describe('the encoder', () => {
  test('has 8 bits at small where it multiplies most, and 4 elsewhere', () => {
    expect(planned('small')).toEqual({
      'self_attn.qkv.weight': 'q4',
      'self_attn.projection.weight': 'q4',
      'mlp.fc1.weight': 'int8',
      'mlp.fc2.weight': 'int8',
    });
  });

  test.each(['q4', 'q8', 'int8'] as const)('has one precision throughout at %s', (dtype) => {
    expect(new Set(Object.values(planned(dtype)))).toEqual(new Set([dtype]));
  });

  test('has bytes throughout at fast, and is read as it lies at fp32', () => {
    expect(new Set(Object.values(planned('fast')))).toEqual(new Set(['int8']));
    expect(planned('fp32')).toEqual({});
  });
});

describe('the feed-forward has 8 bits at small, and attention has 4, in', () => {
  const sizes = { hiddenSize: 32, numHiddenLayers: 1, numAttentionHeads: 2, imageSize: 8, patchSize: 4 };
  test.each([
    [SiglipVisionConfig.create(sizes), ['mlp.fc1', 'mlp.fc2']],
    [Dinov2Config.create(sizes), ['mlp.fc1', 'mlp.fc2']],
    [Dinov2Config.create({ ...sizes, useSwigluFfn: true }), ['mlp.weights_in', 'mlp.weights_out']],
    [VitConfig.create(sizes), ['intermediate.dense', 'output.dense']],
  ])('$modelType', (encoder, feedForward) => {
    const { part } = visionFamily(encoder.modelType);
    const all = part
      .tensors(encoder, '')
      .map(({ name, shape }): [string, StoredTensor] => [name, { ...anyTensor, name, shape }]);
    const { prefill } = part.plan(encoder, { store: { folder: '/m', tensors: new Map(all) }, prefix: '' }, 'small');
    const path = /^encoder\.layers?\.0\./;
    const matrices = (prefill ?? []).filter(({ name, shape }) => path.test(name) && shape.length === 2);
    const bytes = matrices.filter(({ precision }) => precision === 'int8');
    expect(bytes.map(({ name }) => name.replace(path, '').replace(/\.weight$/, ''))).toEqual(feedForward);
    expect(matrices.filter(({ precision }) => precision === 'q4')).toHaveLength(4);
  });
});
