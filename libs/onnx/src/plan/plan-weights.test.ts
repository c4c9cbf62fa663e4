import { f32, i64, type StoredTensor, type StoredType, type WeightStore } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { buildGraph } from '../build-graph.ts';
import { decodeModel } from '../model-proto.ts';
import { embedding } from '../nn/embedding.ts';
import { layerNorm } from '../nn/layer-norm.ts';
import { linear } from '../nn/linear.ts';
import type { WeightSource } from '../weights.ts';
import { planWeights } from './plan-weights.ts';
import { expectPrecision, partPrecisions } from './precision.ts';
import { type SensitiveLayers, sensitivePrecision } from './sensitive-layers.ts';

const SIZE = 64;
const HEADS: readonly SensitiveLayers[] = [
  { weights: /(?:^|\.)(?:lm_head|embed_tokens)\.weight$/, instead: { q4: 'q8' }, reason: 'heads' },
];
const signature = { inputs: { x: f32('batch', SIZE) }, outputs: { y: f32('batch', 100) } } as const;

function storeOf(
  names: Readonly<Record<string, readonly number[]>>,
  dtype: StoredType = 'F32',
  byteLength = 4,
): WeightStore {
  const entries = Object.entries(names).map(([name, shape]): [string, StoredTensor] => [
    name,
    { name, shape, dtype, file: '/m/model.safetensors', byteOffset: 0, byteLength },
  ]);
  return { folder: '/m', tensors: new Map(entries) };
}

/** A norm, a linear layer, and a head that is tied to the token embedding unless it is stored. */
function build(weights: WeightSource): ReturnType<typeof buildGraph<typeof signature>> {
  return buildGraph({ name: 'decoder', signature, weights, prefix: 'lm' }, (g, { x }, root) => {
    const states = linear(g, layerNorm(g, x, root.at('norm'), { epsilon: 1e-5 }), root.at('fc'), {
      inFeatures: SIZE,
      outFeatures: SIZE,
      bias: true,
    });
    const head = root.has('lm_head.weight') ? root.at('lm_head') : root.at('embed_tokens');
    return { y: linear(g, states, head, { inFeatures: SIZE, outFeatures: 100, bias: false }) };
  });
}

const tied = {
  'lm.norm.weight': [SIZE],
  'lm.norm.bias': [SIZE],
  'lm.fc.weight': [SIZE, SIZE],
  'lm.fc.bias': [SIZE],
  'lm.embed_tokens.weight': [100, SIZE],
};
const plan = (
  store: WeightStore,
  ...[precision]: [Parameters<typeof planWeights>[1]]
): Record<string, string> | undefined => {
  const planned = planWeights(
    store,
    precision,
    (finder) => void build(finder),
    (name) => sensitivePrecision(HEADS, name, precision),
  );
  return planned && Object.fromEntries(planned.map((weight) => [weight.name.replace('lm.', ''), weight.precision]));
};

describe('planWeights', () => {
  test('plans matrices of linear layers, and a tied head more finely; norms and biases stay floats', () => {
    expect(plan(storeOf(tied), 'q4')).toEqual({
      'norm.weight': 'fp32',
      'norm.bias': 'fp32',
      'fc.weight': 'q4',
      'fc.bias': 'fp32',
      'embed_tokens.weight': 'q8',
    });
    expect(plan(storeOf(tied), 'int8')).toMatchObject({ 'fc.weight': 'int8', 'embed_tokens.weight': 'int8' });
  });

  test('plans a stored head, and then not the token embedding', () => {
    const planned = plan(storeOf({ ...tied, 'lm.lm_head.weight': [100, SIZE] }), 'q4');
    expect(planned).toMatchObject({ 'lm_head.weight': 'q8' });
    expect(planned).not.toHaveProperty(['embed_tokens.weight']);
  });

  test('maps float32 and small checkpoints of narrower floats in place', () => {
    expect(plan(storeOf(tied, 'F32', 2 ** 30), 'fp32')).toBeUndefined();
    expect(plan(storeOf(tied, 'F16', 1000), 'fp32')).toBeUndefined();
  });

  test('converts large checkpoints of narrower floats to mapped float32 instead of widening them', () => {
    expect(new Set(Object.values(plan(storeOf(tied, 'BF16', 2 ** 26), 'fp32') ?? {}))).toEqual(new Set(['fp32']));
  });
});

describe('a graph over quantized weights', () => {
  const stored = (name: string, dtype: StoredType, shape: readonly number[]): StoredTensor => ({
    name,
    dtype,
    shape,
    file: '/m/converted.safetensors',
    byteOffset: 0,
    byteLength: 4,
  });
  const store: WeightStore = {
    ...storeOf(tied),
    quantized: new Map([
      [
        'lm.fc.weight',
        {
          precision: 'int8',
          shape: [SIZE, SIZE],
          values: stored('lm.fc.weight.int8', 'I8', [SIZE, SIZE]),
          scales: stored('lm.fc.weight.int8.scales', 'F32', [SIZE]),
        },
      ],
      [
        'lm.embed_tokens.weight',
        {
          precision: 'q4',
          shape: [100, SIZE],
          blockSize: 32,
          values: stored('lm.e.q4', 'U8', [100, 2, 16]),
          scales: stored('lm.e.q4.scales', 'F32', [100, 2]),
        },
      ],
    ]),
  };

  test('uses them instead of the floats, requests prepacking, and lists them by their checkpoint names', async () => {
    const model = build(store);
    expect(model.prepack).toBe('onLoad');
    expect(model.weightNames).toEqual([
      'lm.norm.weight',
      'lm.norm.bias',
      'lm.fc.weight',
      'lm.fc.bias',
      'lm.embed_tokens.weight',
    ]);
    const { graph } = await decodeModel(model.serialize());
    expect(graph?.initializer.filter(({ name }) => name.startsWith('lm.')).map(({ name }) => name)).toEqual([
      'lm.norm.weight',
      'lm.norm.bias',
      'lm.fc.weight.int8.scales',
      'lm.fc.weight.int8',
      'lm.fc.bias',
      'lm.e.q4.scales',
      'lm.e.q4',
    ]);
    expect(graph?.node.map(({ opType }) => opType)).toEqual(
      expect.arrayContaining(['MatMulIntegerToFloat', 'MatMulNBits']),
    );
    expect(graph?.node.map(({ opType }) => opType)).not.toContain('FusedMatMul');
    expect(build(storeOf(tied)).prepack).toBeUndefined();
  });

  test('is built in optimized form if all weights are int8, and left to the optimizer otherwise', () => {
    const bytesAlone = {
      ...store,
      quantized: new Map([...(store.quantized ?? [])].filter(([, { precision }]) => precision === 'int8')),
    };
    expect([bytesAlone, store, storeOf(tied)].map((weights) => build(weights).optimized)).toEqual([
      true,
      undefined,
      undefined,
    ]);
  });

  test('quantizes hidden states used by several layers once', async () => {
    const two = buildGraph(
      {
        name: 'two',
        signature: { inputs: { x: f32('batch', SIZE) }, outputs: { y: f32('batch', SIZE), z: f32('batch', SIZE) } },
        weights: store,
        prefix: 'lm',
      },
      (g, { x }, root) => ({
        y: linear(g, x, root.at('fc'), { inFeatures: SIZE, outFeatures: SIZE, bias: false }),
        z: linear(g, x, root.at('fc'), { inFeatures: SIZE, outFeatures: SIZE, bias: false }),
      }),
    );
    expect(
      (await decodeModel(two.serialize())).graph?.node.filter(({ opType }) => opType === 'QuantizeLinear'),
    ).toHaveLength(1);
  });

  test('rejects a matrix of another shape, and an input of another width', () => {
    const failure = expect.objectContaining({ name: 'Blip2Error', code: 'SHAPE_MISMATCH' }) as unknown;
    const apply = (inner: number, out: number, width: number): unknown =>
      buildGraph(
        {
          name: 'bad',
          signature: { inputs: { x: f32('batch', width) }, outputs: { y: f32('batch', out) } },
          weights: store,
          prefix: 'lm',
        },
        (g, { x }, root) => ({ y: linear(g, x, root.at('fc'), { inFeatures: inner, outFeatures: out, bias: false }) }),
      );
    expect(() => apply(32, SIZE, 32)).toThrow(failure);
    expect(() => apply(SIZE, SIZE, 32)).toThrow(failure);
  });

  test('looks tokens up in the float embedding, not in the quantized head', async () => {
    const words = buildGraph(
      {
        name: 'words',
        signature: { inputs: { ids: i64('batch', 'sequence') }, outputs: { y: f32('batch', 'sequence', SIZE) } },
        weights: store,
        prefix: 'lm',
      },
      (g, { ids }, root) => ({
        y: embedding(g, ids, root.at('embed_tokens'), { numEmbeddings: 100, embeddingSize: SIZE }),
      }),
    );
    expect((await decodeModel(words.serialize())).graph?.initializer.map(({ name }) => name)).toEqual([
      'lm.embed_tokens.weight',
    ]);
  });
});

describe('precisions', () => {
  test('presets: 8 bits for prefill and 4 for decoding, or 4 throughout', () => {
    expect(partPrecisions()).toEqual({ prefill: 'fp32', decode: 'fp32' });
    expect(partPrecisions('fast')).toEqual({ prefill: 'int8', decode: 'q4' });
    expect(partPrecisions('small')).toEqual({ prefill: 'q4', decode: 'q4' });
    expect(partPrecisions('q8')).toEqual({ prefill: 'q8', decode: 'q8' });
  });

  test.each([
    ['fp16', /use fast/],
    ['int4', /Use q4/],
    ['toString', /one of fp32/],
    ['', /one of fp32/],
  ])('rejects %j with advice', (name, words) => {
    expect(() => expectPrecision(name)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_DTYPE', message: expect.stringMatching(words) as string }),
    );
  });

  test('replaces the precision of declared layers; a preset takes priority over the precision it implies', () => {
    const layers: readonly SensitiveLayers[] = [
      ...HEADS,
      { weights: /fc1\.weight$/, instead: { small: 'int8', q4: 'q8' }, reason: 'feed-forward' },
    ];
    expect(sensitivePrecision(layers, 'language_model.lm_head.weight', 'q4')).toBe('q8');
    expect(sensitivePrecision(layers, 'language_model.lm_head.weight', 'int8')).toBe('int8');
    expect(sensitivePrecision(layers, 'layers.0.fc1.weight', 'q4', 'small')).toBe('int8');
    expect(sensitivePrecision(layers, 'layers.0.fc1.weight', 'q4')).toBe('q8');
    expect(sensitivePrecision(layers, 'layers.0.fc2.weight', 'q4')).toBe('q4');
    expect(sensitivePrecision([], 'language_model.lm_head.weight', 'q4')).toBe('q4');
  });
});
