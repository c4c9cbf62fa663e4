/** Every vision encoder can be differentiated, with respect to its images and all of its weights. */
import { join } from 'node:path';

import { openModelWeights, readTensor } from '@blip2/checkpoint';
import {
  Blip2VisionConfig,
  ClipVisionConfig,
  Dinov2Config,
  EvaVisionConfig,
  readConfig,
  SiglipVisionConfig,
  VisionConfig,
  VitConfig,
} from '@blip2/config';
import type { Tensor } from '@blip2/interfaces';
import { buildPullback, trainedWeights, type WeightSource, type WrittenModel } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';
import { pseudoRandom } from '@blip2/testing';
import { expect, test } from 'vitest';

import { buildVisionModel } from './blip2/blip2-vision-graph.ts';
import { buildClipVisionModel } from './clip/clip-vision-graph.ts';
import { LAYOUT as DINOV2 } from './dinov2/dinov2-vision-encoder.ts';
import { LAYOUT as EVA } from './eva/eva-vision-encoder.ts';
import { LAYOUT as SIGLIP } from './siglip/siglip-vision-encoder.ts';
import { buildVisionTransformer } from './transformer/vision-transformer-graph.ts';
import { LAYOUT as VIT } from './vit/vit-encoder.ts';

type Build = (weights: WeightSource) => WrittenModel;
type Tensors = Readonly<Record<string, Tensor<'float32'>>>;

const REQUEST = { hiddenStates: false, attentions: false, interpolatePosEncoding: false };
const RESIZED = { ...REQUEST, interpolatePosEncoding: true };

const CASES: readonly (readonly [
  name: string,
  folder: string,
  outputs: readonly string[],
  size: number,
  build: (json: unknown) => Build,
])[] = [
  [
    'BLIP-2',
    'opt',
    ['last_hidden_state', 'pooler_output'],
    32,
    (json) => (weights) =>
      buildVisionModel(Blip2VisionConfig.fromJson(json), weights, 'vision_model', REQUEST as never),
  ],
  [
    'CLIP at another size',
    'clip',
    ['last_hidden_state'],
    40,
    (json) => (weights) => {
      const config = ClipVisionConfig.fromJson(json);
      const request = { ...RESIZED, pooled: false, layers: config.numHiddenLayers };
      return buildClipVisionModel(config, weights, 'vision_model', request);
    },
  ],
  [
    'SigLIP with its pooler',
    'siglip',
    ['last_hidden_state', 'pooler_output'],
    0,
    (json) => (weights) => {
      const config = SiglipVisionConfig.fromJson(json);
      return buildVisionTransformer(config, SIGLIP, weights, 'vision_model', { ...REQUEST, pooled: true });
    },
  ],
  [
    'DINOv2 with layer scales',
    'dinov2',
    ['last_hidden_state'],
    0,
    (json) => (weights) =>
      buildVisionTransformer(Dinov2Config.fromJson(json), DINOV2, weights, '', { ...REQUEST, pooled: false }),
  ],
  [
    'DINOv2 with a gated feed-forward',
    'dinov2-giant',
    ['last_hidden_state'],
    0,
    (json) => (weights) =>
      buildVisionTransformer(Dinov2Config.fromJson(json), DINOV2, weights, 'dinov2', { ...REQUEST, pooled: false }),
  ],
  [
    'ViT with its pooler',
    'vit',
    ['last_hidden_state', 'pooler_output'],
    0,
    (json) => (weights) =>
      buildVisionTransformer(VitConfig.fromJson(json), VIT, weights, '', { ...REQUEST, pooled: true }),
  ],
  [
    'EVA-CLIP with a mean pooler',
    'eva-mean',
    ['last_hidden_state', 'pooler_output'],
    0,
    (json) => (weights) =>
      buildVisionTransformer(EvaVisionConfig.fromJson(json), EVA, weights, 'visual.trunk', {
        ...REQUEST,
        pooled: true,
      }),
  ],
  [
    'EVA-CLIP at a smaller size, antialiased',
    'eva',
    ['last_hidden_state'],
    18,
    (json) => (weights) =>
      buildVisionTransformer(EvaVisionConfig.fromJson(json), EVA, weights, '', { ...RESIZED, pooled: false }),
  ],
];

const random = (seed: number, dims: readonly number[]): Tensor<'float32'> => ({
  type: 'float32',
  dims,
  data: Float32Array.from(
    { length: dims.reduce((a, b) => a * b, 1) },
    (_, index) => 2 * pseudoRandom(seed * 9973 + index) - 1,
  ),
});

const norm = (data: Float32Array): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));

test.each(CASES)('%s: gradients are slopes', async (_, name, outputs, given, buildFor) => {
  const folder = join(import.meta.dirname, '../../../tools/parity/cases', name, 'checkpoint');
  const json = await readConfig(folder);
  const size = given || VisionConfig.fromJson(json).imageSize;
  await using store = await openModelWeights(folder);
  const build = buildFor(json);
  const source = trainedWeights(store, () => true);
  const model = buildPullback({ build, weights: source, outputs, inputs: ['pixel_values'] });
  const tensors: Record<string, Tensor<'float32'>> = { pixel_values: random(1, [2, 3, size, size]) };
  for (const weight of model.weightNames) {
    const stored = store.tensors.get(weight);
    if (!stored) throw new TypeError(`no ${weight}`);
    const { dims, data } = await readTensor(stored);
    tensors[weight] = { type: 'float32', dims, data };
  }
  await using forward = await createSession(build(source));
  const run = (feeds: Tensors): Promise<Tensors> => forward.run(feeds as never) as unknown as Promise<Tensors>;
  const results = await run(tensors);
  const seeds = Object.fromEntries(
    outputs.map((output, index): [string, Tensor<'float32'>] => [
      `gradient.${output}`,
      random(2 + index, results[output]?.dims ?? []),
    ]),
  );
  await using pullback = await createSession(model);
  const found = (await pullback.run({ ...tensors, ...seeds } as never)) as unknown as Tensors;
  expect(Object.keys(found)).toEqual(Object.keys(tensors).map((tensor) => `gradient.${tensor}`));

  const valueAt = async (feeds: Tensors): Promise<number> => {
    const all = await run(feeds);
    let sum = 0;
    for (const output of outputs)
      all[output]?.data.forEach((value, at) => (sum += value * (seeds[`gradient.${output}`]?.data[at] ?? 0)));
    return sum;
  };
  for (const [index, [tensor, value]] of Object.entries(tensors).entries()) {
    const gradient = found[`gradient.${tensor}`]?.data ?? new Float32Array();
    const scale = Math.max(norm(value.data) / Math.sqrt(value.data.length), 1e-3);
    const direction = random(100 + index, value.dims).data.map((each) => scale * each);
    const moved = (step: number): Promise<number> =>
      valueAt({
        ...tensors,
        [tensor]: { ...value, data: value.data.map((each, at) => each + step * (direction[at] ?? 0)) },
      });
    const expected = gradient.reduce((sum, each, at) => sum + each * (direction[at] ?? 0), 0);
    const length = scale * norm(gradient);
    // The result moves by about 0.1 and is known to about 1e-4.
    const h = Math.min(1 / 64, 0.1 / length);
    const [a, b, c, d] = [await moved(2 * h), await moved(h), await moved(-h), await moved(-2 * h)];
    const slope = (8 * (b - c) - (a - d)) / (12 * h);
    expect(Math.abs(slope - expected), tensor).toBeLessThan(0.02 * Math.max(Math.abs(expected), length) + 0.05);
    // Softmax cancels the bias of keys.
    if (!/(?:\bk_proj|\bkey)\.bias$/.test(tensor)) expect(length, tensor).toBeGreaterThan(1e-6);
  }
});
