import { SiglipVisionConfig } from '@blip2/config';
import { expect, test } from 'vitest';

import { SiglipVisionEncoder } from './siglip-vision-encoder.ts';

// Source: `_init_weights` of `models/siglip/modeling_siglip.py` and `initialization.py`, transformers 5.18.
test('random weights have the deviations of HF', () => {
  const sizes = { hiddenSize: 32, intermediateSize: 96, numHiddenLayers: 1, numAttentionHeads: 4 };
  const config = SiglipVisionConfig.create({ ...sizes, imageSize: 8, patchSize: 4 });
  const initialize = SiglipVisionEncoder.initializer(config);
  const deviations = SiglipVisionEncoder.tensors(config, '').flatMap(({ name, shape }): [string, number][] => {
    const initial = initialize(name, shape);
    return initial.kind === 'normal' ? [[name.replace('encoder.layers.0.', ''), initial.std]] : [];
  });
  const xavier = (inputs: number, outputs: number): number => (2 / (inputs + outputs)) ** 0.5;
  // Measured: 0.1639 for 48 inputs, 0.0711 for 256.
  const lecun = (inputs: number): number => inputs ** -0.5 / 0.8796256610342398;
  const feedForward = (path: string): [string, number][] => [
    [`${path}mlp.fc1.weight`, xavier(32, 96)],
    [`${path}mlp.fc1.bias`, 1e-6],
    [`${path}mlp.fc2.weight`, xavier(96, 32)],
    [`${path}mlp.fc2.bias`, 1e-6],
  ];
  const expected: [string, number][] = [
    ['embeddings.patch_embedding.weight', lecun(3 * 4 * 4)],
    ['embeddings.position_embedding.weight', 32 ** -0.5],
    ...['q', 'k', 'v', 'out'].map((layer): [string, number] => [`self_attn.${layer}_proj.weight`, xavier(32, 32)]),
    ...feedForward(''),
    ['head.probe', xavier(32, 32)],
    ['head.attention.in_proj_weight', xavier(32, 96)],
    ['head.attention.out_proj.weight', lecun(32)],
    ...feedForward('head.'),
  ];
  const actual = new Map(deviations);
  expect([...actual.keys()].toSorted()).toEqual(expected.map(([name]) => name).toSorted());
  for (const [name, deviation] of expected) expect(actual.get(name), name).toBeCloseTo(deviation, 12);
});
