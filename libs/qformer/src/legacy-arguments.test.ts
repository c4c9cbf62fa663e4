import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, readTensor } from '@blip2/checkpoint';
import { Blip2QFormerConfig, type PositionEmbeddingType } from '@blip2/config';
import type { QueryFeatures, Tensor } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { pseudoRandom } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { Blip2QFormerModel } from './blip2-qformer-model.ts';
import { HEADS, HIDDEN, SMALL_QFORMER } from './fixtures/small-qformer.ts';
import { imageDistances, selfDistances } from './graph/relative-positions.ts';

const POSITIONS = 5;

const configOf = (positionEmbeddingType: PositionEmbeddingType = 'absolute', numHiddenLayers = 3): Blip2QFormerConfig =>
  Blip2QFormerConfig.create({
    positionEmbeddingType,
    numHiddenLayers,
    ...SMALL_QFORMER,
    useQformerTextInput: true,
  });
/** Weights large enough that every one of them matters. */
const modelOf = (config: Blip2QFormerConfig): Promise<Blip2QFormerModel> =>
  Blip2QFormerModel.fromConfig(config, {
    numQueryTokens: POSITIONS,
    seed: 3,
    threads: 1,
    initializer: () => ({ kind: 'normal', std: 0.5 }),
  });

let draws = 0;
function random(...dims: [number, number, number]): QueryFeatures {
  return {
    type: 'float32',
    dims,
    data: Float32Array.from({ length: dims[0] * dims[1] * dims[2] }, () => pseudoRandom(draws++)),
  };
}
function positionsOf(
  { dims: [batch, positions, hidden], data }: QueryFeatures,
  start: number,
  end: number,
): QueryFeatures {
  const rows = Array.from({ length: batch }, (_, row) => [
    ...data.subarray((row * positions + start) * hidden, (row * positions + end) * hidden),
  ]);
  return { type: 'float32', dims: [batch, end - start, hidden], data: Float32Array.from(rows.flat()) };
}
const causal = (batch: number, from: number, to: number): number[][][] =>
  Array.from({ length: batch }, () =>
    Array.from({ length: to - from }, (_, row) => Array.from({ length: to }, (__, key) => (key <= from + row ? 1 : 0))),
  );
function expectClose(got: Float32Array, expected: ArrayLike<number>, tolerance = 2e-5): void {
  expect(got.length).toBe(expected.length);
  expect(got.reduce((worst, value, index) => Math.max(worst, Math.abs(value - expected[index]!)), 0)).toBeLessThan(
    tolerance,
  );
}
const failure = (code: string): unknown => expect.objectContaining({ name: 'Blip2Error', code });

describe('cached positions', () => {
  test.each(['absolute', 'relative_key', 'relative_key_query'] as const)(
    'of a text with %s positions equal one run under a causal mask',
    async (positions) => {
      await using model = await modelOf(configOf(positions));
      const queryEmbeds = random(2, POSITIONS, HIDDEN);
      const whole = await model.forward(
        { queryEmbeds, queryLength: 0, attentionMask: causal(2, 0, POSITIONS) },
        { useCache: true },
      );
      const first = await model.forward(
        { queryEmbeds: positionsOf(queryEmbeds, 0, 2), queryLength: 0, attentionMask: causal(2, 0, 2) },
        { useCache: true },
      );
      expectClose(first.lastHiddenState.data, positionsOf(whole.lastHiddenState, 0, 2).data);
      let past = first.pastKeyValues!;
      for (let at = 2; at < POSITIONS; at++) {
        const step = await model.forward(
          { queryEmbeds: positionsOf(queryEmbeds, at, at + 1), queryLength: 0, pastKeyValues: past },
          { useCache: true, outputAttentions: true },
        );
        expectClose(step.lastHiddenState.data, positionsOf(whole.lastHiddenState, at, at + 1).data);
        expect(step.attentions?.[0]?.dims).toEqual([2, HEADS, 1, at + 1]);
        past = step.pastKeyValues!;
      }
      expect(past).toHaveLength(3);
      past.forEach(({ key, value }, layer) => {
        expect(key.dims).toEqual([2, HEADS, POSITIONS, HIDDEN / HEADS]);
        expectClose(key.data, whole.pastKeyValues![layer]!.key.data);
        expectClose(value.data, whole.pastKeyValues![layer]!.value.data);
      });
    },
  );

  test('of queries equal one run under a causal mask, two at a time', async () => {
    await using model = await modelOf(configOf());
    const queryEmbeds = random(1, 4, HIDDEN);
    const encoderHiddenStates = random(1, 6, 10);
    const whole = await model.forward({ queryEmbeds, encoderHiddenStates, attentionMask: causal(1, 0, 4) });
    const first = await model.forward(
      { queryEmbeds: positionsOf(queryEmbeds, 0, 2), encoderHiddenStates, attentionMask: causal(1, 0, 2) },
      { useCache: true },
    );
    const second = await model.forward({
      queryEmbeds: positionsOf(queryEmbeds, 2, 4),
      encoderHiddenStates,
      attentionMask: causal(1, 2, 4),
      pastKeyValues: first.pastKeyValues!,
    });
    expectClose(second.lastHiddenState.data, positionsOf(whole.lastHiddenState, 2, 4).data);
    expect(second.pastKeyValues).toBeUndefined();
  });

  test.each(['absolute', 'relative_key'] as const)(
    'of queries are followed by a text with %s positions, as in image-grounded text generation',
    async (positions) => {
      await using model = await modelOf(configOf(positions));
      const queryEmbeds = random(1, 7, HIDDEN);
      const encoderHiddenStates = random(1, POSITIONS, 10);
      // Queries see queries; text sees queries and the text before it.
      const attentionMask = [
        Array.from({ length: 7 }, (_, row) =>
          Array.from({ length: 7 }, (__, key) => (key < POSITIONS || (row >= POSITIONS && key <= row) ? 1 : 0)),
        ),
      ];
      const whole = await model.forward({ queryEmbeds, queryLength: POSITIONS, encoderHiddenStates, attentionMask });
      let { pastKeyValues } = await model.forward(
        { queryEmbeds: positionsOf(queryEmbeds, 0, POSITIONS), encoderHiddenStates },
        { useCache: true },
      );
      for (const at of [5, 6]) {
        const step = await model.forward(
          { queryEmbeds: positionsOf(queryEmbeds, at, at + 1), queryLength: 0, pastKeyValues: pastKeyValues! },
          { useCache: true },
        );
        expectClose(step.lastHiddenState.data, positionsOf(whole.lastHiddenState, at, at + 1).data);
        pastKeyValues = step.pastKeyValues;
      }
    },
  );

  test('are rejected if they are of another model, or if queries with relative positions follow them', async () => {
    await using model = await modelOf(configOf());
    const { pastKeyValues } = await model.forward(
      { queryEmbeds: random(1, 2, HIDDEN), queryLength: 0 },
      { useCache: true },
    );
    const one = { queryEmbeds: random(1, 1, HIDDEN), pastKeyValues: pastKeyValues! };
    await expect(model.forward({ ...one, queryLength: 0, pastKeyValues: one.pastKeyValues.slice(1) })).rejects.toEqual(
      failure('SHAPE_MISMATCH'),
    );
    await using relative = await modelOf(configOf('relative_key'));
    await expect(relative.forward({ ...one, encoderHiddenStates: random(1, 1, 10) })).rejects.toEqual(
      failure('INVALID_ARGUMENT'),
    );
  });
});

test('the seam and a plain forward share one session', async () => {
  let sessions = 0;
  const config = configOf();
  await using model = await Blip2QFormerModel.fromConfig(config, {
    numQueryTokens: 2,
    createSession: (written, options) => {
      sessions++;
      return createSession(written, options);
    },
  });
  const encoderHiddenStates = random(1, 4, 10);
  const queried = await model.query(encoderHiddenStates);
  expect((await model.forward({ encoderHiddenStates })).lastHiddenState).toEqual(queried);
  expect(sessions).toBe(1);
});

describe('masks', () => {
  test('with the same row for every position equal the plain mask', async () => {
    await using model = await modelOf(configOf());
    const queryEmbeds = random(2, 4, HIDDEN);
    const rows = [
      [1, 1, 0, 1],
      [1, 0, 1, 1],
    ];
    const plain = await model.forward({ queryEmbeds, queryLength: 0, attentionMask: rows });
    const pairs = await model.forward({
      queryEmbeds,
      queryLength: 0,
      attentionMask: rows.map((row) => [row, row, row, row]),
    });
    expectClose(pairs.lastHiddenState.data, plain.lastHiddenState.data, 1e-6);
    const none = await model.forward({ queryEmbeds, queryLength: 0 });
    expect(Math.abs(none.lastHiddenState.data[0]! - plain.lastHiddenState.data[0]!)).toBeGreaterThan(1e-3);
  });

  test('with ragged rows are rejected', async () => {
    await using model = await modelOf(configOf());
    const queryEmbeds = random(1, 2, HIDDEN);
    await expect(model.forward({ queryEmbeds, queryLength: 0, attentionMask: [[[1, 1], [1]]] })).rejects.toEqual(
      failure('SHAPE_MISMATCH'),
    );
    await expect(
      model.forward({ queryEmbeds: random(2, 2, HIDDEN), queryLength: 0, attentionMask: [[1, 1], [1]] }),
    ).rejects.toEqual(failure('SHAPE_MISMATCH'));
  });

  test('of heads: ones change nothing, zeros disable the attention of a layer, other shapes are rejected', async () => {
    await using model = await modelOf(configOf());
    const inputs = { queryEmbeds: random(1, 4, HIDDEN), encoderHiddenStates: random(1, 6, 10) };
    const floats = (...dims: number[]): Tensor<'float32'> => ({
      type: 'float32',
      dims,
      data: new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(1),
    });
    const plain = await model.forward(inputs, { outputAttentions: true });
    expectClose(
      (await model.forward({ ...inputs, headMask: floats(HEADS) })).lastHiddenState.data,
      plain.lastHiddenState.data,
      1e-5,
    );
    const off = floats(3, HEADS);
    off.data.fill(0, 0, HEADS);
    const masked = await model.forward({ ...inputs, headMask: off }, { outputAttentions: true });
    expectClose(masked.attentions![0]!.data, plain.attentions![0]!.data, 1e-6);
    expect(
      Math.max(
        ...masked.lastHiddenState.data.map((value, index) => Math.abs(value - plain.lastHiddenState.data[index]!)),
      ),
    ).toBeGreaterThan(1e-3);
    for (const wrong of [floats(HEADS + 1), floats(2, HEADS), floats(HEADS, 1)])
      await expect(model.forward({ ...inputs, headMask: wrong })).rejects.toEqual(failure('SHAPE_MISMATCH'));
  });
});

describe('relative positions', () => {
  test('are distances from query to key', () => {
    expect([...selfDistances(configOf('relative_key'), 2, 1).data].map(Number)).toEqual([9, 8, 7, 10, 9, 8]);
    expect([...imageDistances(configOf('relative_key'), 2, 2).data].map(Number)).toEqual([8, 7, 9, 8]);
    expect([...imageDistances(configOf('relative_key'), 1, 3).data].map(Number)).toEqual([8, 8, 8]);
  });

  test('reject more positions than embeddings, and different numbers of queries and image positions', async () => {
    await using model = await modelOf(configOf('relative_key'));
    await expect(model.forward({ queryEmbeds: random(1, 10, HIDDEN), queryLength: 0 })).rejects.toEqual(
      failure('SEQUENCE_TOO_LONG'),
    );
    await expect(
      model.forward({ queryEmbeds: random(1, 4, HIDDEN), encoderHiddenStates: random(1, 6, 10) }),
    ).rejects.toEqual(failure('SHAPE_MISMATCH'));
    expect(
      (await model.forward({ queryEmbeds: random(1, 1, HIDDEN), encoderHiddenStates: random(1, 6, 10) }))
        .lastHiddenState.dims,
    ).toEqual([1, 1, HIDDEN]);
  });

  test.each(['relative_key', 'relative_key_query'] as const)(
    'of type %s equal the formula in self- and cross-attention',
    async (kind) => {
      const folder = await mkdtemp(join(tmpdir(), 'blip2-relative-'));
      try {
        await using model = await modelOf(configOf(kind, 1));
        await model.savePretrained(folder);
        const plain = await plainWeights(folder);
        for (const patches of kind === 'relative_key' ? [POSITIONS] : [POSITIONS, 1]) {
          const [queries, image] = [
            random(1, patches === 1 ? 1 : POSITIONS, HIDDEN),
            random(1, patches === 1 ? 4 : POSITIONS, 10),
          ];
          const { hiddenStates, attentions, crossAttentions } = await model.forward(
            { queryEmbeds: queries, encoderHiddenStates: image },
            { outputHiddenStates: true, outputAttentions: true },
          );
          const x = matrix(hiddenStates![0]!);
          const self = plainAttention(plain, 'encoder.layer.0.attention', x, x, kind);
          expectClose(attentions![0]!.data, self.probabilities);
          const cross = plainAttention(plain, 'encoder.layer.0.crossattention', self.states, matrix(image), kind);
          expectClose(crossAttentions![0]!.data, cross.probabilities);
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});

type Matrix = readonly (readonly number[])[];
type PlainWeights = ReadonlyMap<string, Tensor<'float32'>>;

async function plainWeights(folder: string): Promise<PlainWeights> {
  const { tensors } = await openCheckpoint(folder);
  return new Map(
    await Promise.all(
      [...tensors].map(async ([name, stored]): Promise<[string, Tensor<'float32'>]> => [
        name.replace(/^qformer\./, ''),
        await readTensor(stored),
      ]),
    ),
  );
}
function matrix({ dims, data }: Tensor<'float32'>): Matrix {
  const [rows, columns] = [dims.at(-2)!, dims.at(-1)!];
  return Array.from({ length: rows }, (_, row) => [...data.subarray(row * columns, (row + 1) * columns)]);
}
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * b[index]!, 0);
const sum = (a: readonly number[], b: readonly number[]): number[] => a.map((value, index) => value + b[index]!);
const linear = (weights: PlainWeights, path: string, x: Matrix): Matrix => {
  const bias = weights.get(`${path}.bias`)!.data;
  return x.map((row) => matrix(weights.get(`${path}.weight`)!).map((column, index) => dot(row, column) + bias[index]!));
};
const layerNorm = (weights: PlainWeights, path: string, x: Matrix): Matrix =>
  x.map((row) => {
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / row.length;
    return row.map(
      (value, index) =>
        ((value - mean) / Math.sqrt(variance + 1e-12)) * weights.get(`${path}.weight`)!.data[index]! +
        weights.get(`${path}.bias`)!.data[index]!,
    );
  });

/** One attention of the Q-Former, number by number. */
function plainAttention(
  weights: PlainWeights,
  path: string,
  x: Matrix,
  source: Matrix,
  kind: PositionEmbeddingType,
): { probabilities: number[]; states: Matrix } {
  const [q, k, v] = (
    [
      ['query', x],
      ['key', source],
      ['value', source],
    ] as const
  ).map(([name, rows]) => linear(weights, `${path}.attention.${name}`, rows)) as [Matrix, Matrix, Matrix];
  const table = matrix(weights.get(`${path}.attention.distance_embedding.weight`)!);
  const size = HIDDEN / HEADS;
  const head = (row: readonly number[], index: number): number[] => row.slice(index * size, (index + 1) * size);
  const maps = Array.from({ length: HEADS }, (_, h) =>
    q.map((query, i) => {
      const scores = k.map((key, j) => {
        const distance = table[(q.length === 1 ? 0 : i - j) + 8]!;
        const ofKey = kind === 'relative_key_query' ? dot(head(key, h), distance) : 0;
        return (dot(head(query, h), head(key, h)) + dot(head(query, h), distance) + ofKey) / Math.sqrt(size);
      });
      const weightsOf = scores.map((score) => Math.exp(score - Math.max(...scores)));
      return weightsOf.map((weight) => weight / weightsOf.reduce((a, b) => a + b, 0));
    }),
  );
  const context = q.map((_, i) =>
    maps.flatMap((map, h) =>
      Array.from({ length: size }, (__, d) => map[i]!.reduce((total, p, j) => total + p * head(v[j]!, h)[d]!, 0)),
    ),
  );
  const dense = linear(weights, `${path}.output.dense`, context);
  return {
    probabilities: maps.flat(2),
    states: layerNorm(
      weights,
      `${path}.output.LayerNorm`,
      dense.map((row, i) => sum(row, x[i]!)),
    ),
  };
}
