import { join } from 'node:path';

import { openModelWeights, readTensor } from '@blip2/checkpoint';
import { Blip2QFormerConfig, readConfig } from '@blip2/config';
import type { Blip2Error, PatchFeatures, TokenEmbeddings, WeightStore } from '@blip2/interfaces';
import { pseudoRandom } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { Blip2QFormerModel } from '../blip2-qformer-model.ts';
import { LanguageProjection } from '../heads/language-projection.ts';
import { TextConditionedQFormer } from '../text-conditioned-qformer.ts';
import { BRIDGE_PARTS, type BridgePart, type BridgePlan, hasText } from './bridge-graph.ts';
import {
  type BridgeInputs,
  createTrainableBridge,
  type NamedTensors,
  type TrainableBridge,
} from './trainable-bridge.ts';

const folderOf = (name: string): string =>
  join(import.meta.dirname, '../../../../tools/parity/cases', name, 'checkpoint');

interface Opened {
  readonly bridge: TrainableBridge;
  readonly weights: NamedTensors;
  readonly inputs: BridgeInputs;
  readonly plan: BridgePlan;
  readonly store: WeightStore;
}

const random = <D extends readonly number[]>(seed: number, ...dims: D) => ({
  type: 'float32' as const,
  dims,
  data: Float32Array.from(
    { length: dims.reduce((a, b) => a * b, 1) },
    (_, index) => 2 * pseudoRandom(seed * 9973 + index) - 1,
  ),
});

async function open(name: string, trained: readonly BridgePart[] = BRIDGE_PARTS): Promise<Opened> {
  const folder = folderOf(name);
  const config = Blip2QFormerConfig.fromJson(await readConfig(folder), folder);
  const store = await openModelWeights(folder);
  const shape = store.tensors.get('language_projection.weight')?.shape ?? [];
  const plan: BridgePlan = {
    config,
    numQueryTokens: store.tensors.get('query_tokens')?.shape[1] ?? 0,
    projection: { inFeatures: shape[1] ?? 0, outFeatures: shape[0] ?? 0 },
    trained,
  };
  const bridge = createTrainableBridge(plan, store, { threads: 1 });
  const weights: Record<string, NamedTensors[string]> = {};
  for (const { name: tensor } of bridge.trained) {
    const stored = store.tensors.get(tensor);
    if (!stored) throw new TypeError(`no ${tensor}`);
    const { dims, data } = await readTensor(stored);
    weights[tensor] = { type: 'float32', dims, data };
  }
  const features: PatchFeatures = random(1, 2, 5, config.encoderHiddenSize);
  const text = {
    inputIds: [
      [5, 6, 7],
      [8, 9, 0],
    ],
    attentionMask: [
      [1, 1, 1],
      [1, 1, 0],
    ],
  };
  return { bridge, weights, plan, store, inputs: { features, ...(hasText(config) && { text }) } };
}

const gradientFor = (plan: BridgePlan): TokenEmbeddings =>
  random(7, 2, plan.numQueryTokens, plan.projection.outFeatures);

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - (b[index] ?? Number.NaN))), 0);
}

const norm = (data: Float32Array): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));

/**
 * Softmax cancels the bias of keys, and all scores of a single query to itself; nothing depends on the text after the
 * last layer.
 */
function hasNoEffect(name: string, { numQueryTokens, config }: BridgePlan): boolean {
  const ofLast = new RegExp(`layer\\.${config.numHiddenLayers - 1}\\.(?:intermediate|output)\\.`);
  return (
    name.endsWith('attention.key.bias') ||
    (numQueryTokens === 1 && /\.attention\.attention\.(?:query|key)\./.test(name)) ||
    (hasText(config) && ofLast.test(name))
  );
}

const NAMES = ['opt', 't5-v1.0-relu', 'opt-one-query-frequency-3', 'instructblip-llama'];

describe.each(NAMES)('the bridge of %s', (name) => {
  test('computes what Q-Former and projection compute', async () => {
    const { bridge, weights, inputs } = await open(name);
    await using owned = bridge;
    const folder = folderOf(name);
    await using projection = await LanguageProjection.fromPretrained(folder, { threads: 1 });
    const expected = await (async () => {
      if (!inputs.text) {
        await using qformer = await Blip2QFormerModel.fromPretrained(folder, { threads: 1 });
        return projection.project(await qformer.query(inputs.features));
      }
      await using qformer = await TextConditionedQFormer.fromPretrained(folder, { threads: 1 });
      const { inputIds, attentionMask = [] } = inputs.text;
      return projection.project(await qformer.query(inputs.features, { inputIds, attentionMask }));
    })();
    const got = await owned.forward(inputs, weights);
    expect(got.dims).toEqual(expected.dims);
    expect(largestDifference(got.data, expected.data)).toBeLessThan(1e-5);
  });

  test('gradients are slopes, in any direction of any tensor', async () => {
    const { bridge, weights, inputs, plan } = await open(name);
    await using owned = bridge;
    // Steps across the kinks of ReLU say little; the parity cases compare its gradients.
    if (plan.config.hiddenAct === 'relu') return;
    const seed = gradientFor(plan);
    const gradients = await owned.backward(inputs, seed, weights);
    expect(Object.keys(gradients)).toEqual(Object.keys(weights));
    const valueAt = async (moved: NamedTensors): Promise<number> => {
      const { data } = await owned.forward(inputs, moved);
      return data.reduce((sum, value, at) => sum + value * (seed.data[at] ?? 0), 0);
    };
    for (const [index, [tensor, { dims, data }]] of Object.entries(weights).entries()) {
      // About as large as the tensor itself.
      const scale = Math.max(norm(data) / Math.sqrt(data.length), 1e-3);
      const direction = random(index + 11, ...dims).data.map((value) => scale * value);
      const moved = (step: number): Promise<number> =>
        valueAt({
          ...weights,
          [tensor]: { type: 'float32', dims, data: data.map((value, at) => value + step * (direction[at] ?? 0)) },
        });
      const gradient = gradients[tensor]?.data ?? new Float32Array();
      const expected = gradient.reduce((sum, value, at) => sum + value * (direction[at] ?? 0), 0);
      const size = scale * norm(gradient);
      // The result moves by about 0.1 and is known to about 1e-4.
      const h = Math.min(1 / 64, 0.1 / size);
      const [a, b, c, d] = [await moved(2 * h), await moved(h), await moved(-h), await moved(-2 * h)];
      const slope = (8 * (b - c) - (a - d)) / (12 * h);
      expect(Math.abs(slope - expected), tensor).toBeLessThan(0.02 * Math.max(Math.abs(expected), size) + 0.01);
      if (!hasNoEffect(tensor, plan)) expect(size, tensor).toBeGreaterThan(1e-6);
    }
  });
});

describe('what is trained', () => {
  test.each([
    [['query_tokens'], 1],
    [['projection'], 2],
    [['query_tokens', 'projection'], 3],
  ] as const)('%j: other tensors stay in their file, and the gradients are the same', async (parts, count) => {
    const whole = await open('opt');
    await using all = whole.bridge;
    const { bridge, weights, inputs, plan } = await open('opt', parts);
    await using owned = bridge;
    expect(owned.trained).toHaveLength(count);
    const seed = gradientFor(plan);
    const expected = await all.backward(inputs, seed, whole.weights);
    const got = await owned.backward(inputs, seed, weights);
    expect(Object.keys(got)).toEqual(owned.trained.map(({ name }) => name));
    for (const [name, { data }] of Object.entries(got))
      expect(largestDifference(data, expected[name]?.data ?? new Float32Array())).toBeLessThan(1e-4);
  });

  test('a trained tensor may have another width than in the checkpoint', async () => {
    const { plan, store, inputs } = await open('opt');
    const wide: BridgePlan = { ...plan, projection: { ...plan.projection, outFeatures: 3 }, trained: ['projection'] };
    await using bridge = createTrainableBridge(wide, store, { threads: 1 });
    const { inFeatures } = plan.projection;
    const weights: NamedTensors = {
      'language_projection.weight': random(3, 3, inFeatures),
      'language_projection.bias': random(4, 3),
    };
    expect((await bridge.forward(inputs, weights)).dims).toEqual([2, plan.numQueryTokens, 3]);
    const seed = random(5, 2, plan.numQueryTokens, 3);
    const { 'language_projection.bias': bias } = await bridge.backward(inputs, seed, weights);
    // Its gradient is the sum over images and queries.
    const sums = [0, 1, 2].map((axis) =>
      seed.data.reduce((sum, value, index) => sum + (index % 3 === axis ? value : 0), 0),
    );
    expect(largestDifference(bias?.data ?? new Float32Array(), Float32Array.from(sums))).toBeLessThan(1e-5);
  });

  test('weights that are updated in place are used by the next call', async () => {
    const { bridge, weights, inputs } = await open('opt', ['projection']);
    await using owned = bridge;
    const before = await owned.forward(inputs, weights);
    weights['language_projection.bias']?.data.forEach((value, at, data) => (data[at] = value + 1));
    const after = await owned.forward(inputs, weights);
    expect(
      largestDifference(
        after.data,
        before.data.map((value) => value + 1),
      ),
    ).toBeLessThan(1e-5);
  });

  test('an image more adds its gradients', async () => {
    const { bridge, weights, inputs, plan } = await open('opt');
    await using owned = bridge;
    const seed = gradientFor(plan);
    const row = <T extends PatchFeatures | TokenEmbeddings>({ dims, data }: T, at: number): T => {
      const size = data.length / dims[0];
      return {
        type: 'float32',
        dims: [1, dims[1], dims[2]],
        data: data.slice(at * size, (at + 1) * size),
      } as PatchFeatures as T;
    };
    const both = await owned.backward(inputs, seed, weights);
    const [first, second] = [
      await owned.backward({ features: row(inputs.features, 0) }, row(seed, 0), weights),
      await owned.backward({ features: row(inputs.features, 1) }, row(seed, 1), weights),
    ];
    for (const [name, { data }] of Object.entries(both)) {
      const sum = data.map((_, at) => (first[name]?.data[at] ?? NaN) + (second[name]?.data[at] ?? NaN));
      expect(largestDifference(data, sum), name).toBeLessThan(1e-4);
    }
  });
});

describe('refusals', () => {
  test('by name', async () => {
    const { bridge, weights, inputs, plan, store } = await open('opt');
    await using owned = bridge;
    const [first = ''] = Object.keys(weights);
    const { [first]: removed, ...others } = weights;
    const text = { inputIds: [[1], [2]] };
    const refused: readonly (readonly [run: () => Promise<unknown>, code: Blip2Error['code'], argument: string])[] = [
      [() => owned.forward(inputs, others), 'INVALID_ARGUMENT', `weights['${first}']`],
      [() => owned.forward(inputs, { ...weights, [first]: random(1, 2) }), 'SHAPE_MISMATCH', `weights['${first}']`],
      [() => owned.forward({ ...inputs, text }, weights), 'INVALID_ARGUMENT', 'text'],
    ];
    for (const [run, code, argument] of refused)
      await expect(run()).rejects.toMatchObject({ code, details: { argument } });
    expect(removed).toBeDefined();
    await expect(owned.backward(inputs, random(1, 2, 3, 4), weights)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    expect(() => createTrainableBridge({ ...plan, trained: [] }, store)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    );
    const relative = { ...plan, config: { ...plan.config, positionEmbeddingType: 'relative_key' as const } };
    expect(() => createTrainableBridge(relative, store)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_ARCHITECTURE' }),
    );
  });

  test('a text is required, with one row per image', async () => {
    const { bridge, weights, inputs } = await open('instructblip-llama');
    await using owned = bridge;
    await expect(owned.forward({ features: inputs.features }, weights)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'text' },
    });
    const text = { inputIds: [[5, 6]] };
    await expect(owned.forward({ ...inputs, text }, weights)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    for (const id of [-1, 100_000])
      await expect(owned.forward({ ...inputs, text: { inputIds: [[5], [id]] } }, weights)).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { argument: 'inputIds' },
      });
    const ragged = { inputIds: [[5, 6], [7]], attentionMask: [[1, 1], [1]] };
    await expect(owned.forward({ ...inputs, text: ragged }, weights)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    const long = new Array<number>(1000).fill(5);
    await expect(owned.forward({ ...inputs, text: { inputIds: [long, long] } }, weights)).rejects.toMatchObject({
      code: 'SEQUENCE_TOO_LONG',
    });
  });
});
