/** `lossAndGradient` of every family, over the checkpoints of the parity tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  type Blip2Error,
  type DifferentiableLanguageModel,
  expectDifferentiable,
  type LossAndGradient,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { fakeLanguageModel, pseudoRandom } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { CausalLanguageModel } from '../causal/causal-forward-types.ts';
import { loadLanguageModel } from '../families.ts';
import type { Seq2SeqLanguageModel } from '../seq2seq/seq2seq-language-model.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const FAMILIES = ['opt', 'opt-post-norm-projections', 'gpt2', 'llama', 'qwen2', 'qwen3', 'mistral', 'phi3'];
const SEQ2SEQ = ['t5', 't5-v1.0-relu', 'mt5', 'umt5'];
/** Encoder-decoders of random weights with a deviation of 0.3, where an error of 4 bits grows from layer to layer. */
const DEEP: readonly string[] = ['mt5', 'umt5'];
const POSITIONS = 5;

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-loss-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

type Loaded = DifferentiableLanguageModel & (CausalLanguageModel | Seq2SeqLanguageModel);

async function load(name: string, options: Parameters<typeof loadLanguageModel>[1] = {}): Promise<Loaded> {
  const folder = join(cases, name, 'checkpoint');
  const model = await loadLanguageModel(folder, { threads: 1, convertedDir: join(scratch, 'cache'), ...options });
  return expectDifferentiable(model) as Loaded;
}

/** Embeddings about as large as those of tokens. */
async function prefixFor(model: Loaded, rows: number, seed = 1): Promise<TokenEmbeddings> {
  const { data } = await model.embed([[5, 6, 7, 8]]);
  const size = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
  const dims = [rows, POSITIONS, model.embeddingSize] as const;
  const count = rows * POSITIONS * model.embeddingSize;
  const drawn = Float32Array.from({ length: count }, (_, index) => size * (pseudoRandom(seed * 1000 + index) - 0.5));
  return { type: 'float32', dims, data: drawn };
}

const rowOf = ({ dims: [, positions, width], data }: TokenEmbeddings, row: number): TokenEmbeddings => ({
  type: 'float32',
  dims: [1, positions, width],
  data: data.slice(row * positions * width, (row + 1) * positions * width),
});

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - (b[index] ?? Number.NaN))), 0);
}

const largest = (data: Float32Array): number => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

const squares = (data: Float32Array): number => data.reduce((sum, value) => sum + value * value, 0);

const cosine = (a: Float32Array, b: Float32Array): number => {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

const TARGETS: readonly TokenIds[] = [
  [9, 12, 7, 11],
  [8, 5],
  [14, 6, 13],
];
const PROMPTS: readonly TokenIds[] = [[3], [4, 5, 6], []];

describe.each([...FAMILIES, 'gemma3-text', ...SEQ2SEQ])('%s', (name) => {
  test('the gradient is the slope of the loss in any direction', async () => {
    await using model = await load(name);
    const prefix = await prefixFor(model, 3);
    const options = { promptIds: PROMPTS };
    const { prefixGradient } = await model.lossAndGradient(prefix, TARGETS, options);
    expect(prefixGradient.dims).toEqual(prefix.dims);
    for (const seed of [2, 3, 4]) {
      const direction = (await prefixFor(model, 3, seed)).data;
      const slope = prefixGradient.data.reduce((sum, value, at) => sum + value * (direction[at] ?? 0), 0);
      const lossAt = async (step: number): Promise<number> => {
        const data = prefix.data.map((value, at) => value + step * (direction[at] ?? 0));
        return (await model.lossAndGradient({ ...prefix, data }, TARGETS, options)).loss;
      };
      // A loss of about 5 has an error of 1e-6, and the slope one of 1e-6 / h; ReLU has kinks (3 %).
      const h = 1 / 256;
      const [a, b, c, d] = [await lossAt(2 * h), await lossAt(h), await lossAt(-h), await lossAt(-2 * h)];
      const typical = Math.sqrt(squares(prefixGradient.data) * squares(direction)) / Math.sqrt(direction.length);
      const error = Math.abs((8 * (b - c) - (a - d)) / (12 * h) - slope);
      expect(error / Math.max(typical, Math.abs(slope))).toBeLessThan(0.05);
    }
  });

  test('the loss is that of the full forward with labels', async () => {
    await using model = await load(name);
    const prefix = await prefixFor(model, 1);
    const [targets = []] = TARGETS;
    const { loss, targetCount } = await model.lossAndGradient(prefix, [targets], { promptIds: [[3, 4]] });
    expect(targetCount).toBe(targets.length);
    const words = await model.embed([[3, 4, ...targets]]);
    const before = model.architecture === 'causal' ? words : await model.embed([[3, 4]]);
    const inputsEmbeds: TokenEmbeddings = {
      type: 'float32',
      dims: [1, POSITIONS + before.dims[1], model.embeddingSize],
      data: Float32Array.of(...prefix.data, ...before.data),
    };
    const ignored = new Array<number>(POSITIONS + 2).fill(-100);
    const expected =
      model.architecture === 'causal'
        ? (await model.forward({ inputsEmbeds, labels: [[...ignored, ...targets]] })).loss
        : (await model.forward({ inputsEmbeds, labels: [targets] })).loss;
    expect(Math.abs(loss - (expected?.data[0] ?? Number.NaN))).toBeLessThan(1e-5 * loss);
  });

  test('rows of other lengths do not change each other', async () => {
    await using model = await load(name);
    const prefix = await prefixFor(model, 3);
    const together = await model.lossAndGradient(prefix, TARGETS, { promptIds: PROMPTS });
    expect(together.targetCount).toBe(9);
    let sum = 0;
    for (const [row, targets] of TARGETS.entries()) {
      const alone = await model.lossAndGradient(rowOf(prefix, row), [targets], { promptIds: [PROMPTS[row] ?? []] });
      sum += alone.loss * alone.targetCount;
      const share = alone.targetCount / together.targetCount;
      const expected = alone.prefixGradient.data.map((value) => value * share);
      const got = rowOf(together.prefixGradient, row).data;
      expect(largest(expected)).toBeGreaterThan(1e-5);
      expect(largestDifference(got, expected)).toBeLessThan(2e-5 * Math.max(1, largest(expected)));
    }
    expect(Math.abs(sum / together.targetCount - together.loss)).toBeLessThan(1e-5 * together.loss);
  });

  test('without a prompt, the first target follows the prefix', async () => {
    await using model = await load(name);
    const prefix = await prefixFor(model, 2);
    const { loss, prefixGradient } = await model.lossAndGradient(prefix, [[7], [9]]);
    expect(loss).toBeGreaterThan(0);
    // A causal model predicts it from the last position of the prefix.
    expect(largest(prefixGradient.data)).toBeGreaterThan(1e-5);
  });

  test('8-bit and 4-bit weights give nearly the same gradient', async () => {
    await using exact = await load(name);
    const prefix = await prefixFor(exact, 3);
    const gradientOf = async (model: Loaded): Promise<LossAndGradient> =>
      model.lossAndGradient(prefix, TARGETS, { promptIds: PROMPTS });
    const expected = await gradientOf(exact);
    for (const [dtype, least] of [
      ['int8', 0.97],
      ['q8', 0.97],
      ['q4', DEEP.includes(name) ? 0.3 : 0.5],
    ] as const) {
      await using model = await load(name, { dtype });
      const { loss, prefixGradient } = await gradientOf(model);
      expect(loss).not.toBe(expected.loss);
      expect(cosine(prefixGradient.data, expected.prefixGradient.data), dtype).toBeGreaterThan(least);
      // Runs after the first may use prepacked weights.
      expect((await gradientOf(model)).prefixGradient.data, dtype).toEqual(prefixGradient.data);
    }
  });
});

describe.each(['opt', 'llama', 't5'])('arguments of %s', (name) => {
  test('a masked position of the prefix has no gradient and no effect', async () => {
    await using model = await load(name);
    const prefix = await prefixFor(model, 1);
    const attentionMask = [[1, 1, 0, 1, 1]];
    const run = (data: Float32Array): Promise<LossAndGradient> =>
      model.lossAndGradient({ ...prefix, data }, [[9, 12]], { promptIds: [[3]], attentionMask });
    const { loss, prefixGradient } = await run(prefix.data);
    const width = model.embeddingSize;
    const moved = prefix.data.map((value, at) => (Math.floor(at / width) === 2 ? 1 : value));
    expect((await run(moved)).loss).toBe(loss);
    expect(largest(prefixGradient.data.subarray(2 * width, 3 * width))).toBe(0);
    expect(largest(prefixGradient.data)).toBeGreaterThan(1e-5);
  });

  test('are refused by name', async () => {
    await using model = await load(name);
    const prefix = await prefixFor(model, 1);
    const narrow: TokenEmbeddings = { type: 'float32', dims: [1, 2, 3], data: new Float32Array(6) };
    const infinite = { ...prefix, data: prefix.data.map(() => Number.POSITIVE_INFINITY) };
    const refused: readonly (readonly [run: () => Promise<unknown>, code: Blip2Error['code'], argument: string])[] = [
      [() => model.lossAndGradient(narrow, [[5]]), 'SHAPE_MISMATCH', 'prefix'],
      [() => model.lossAndGradient(infinite, [[5]]), 'NOT_FINITE', 'prefix'],
      [() => model.lossAndGradient(prefix, [[5], [6]]), 'SHAPE_MISMATCH', 'targets'],
      [() => model.lossAndGradient(prefix, [[]]), 'INVALID_ARGUMENT', 'targets[0]'],
      [() => model.lossAndGradient(prefix, [[model.vocabularySize]]), 'INVALID_ARGUMENT', 'targets'],
      [() => model.lossAndGradient(prefix, [[-100]]), 'INVALID_ARGUMENT', 'targets'],
      [() => model.lossAndGradient(prefix, [[5]], { promptIds: [] }), 'SHAPE_MISMATCH', 'promptIds'],
      [() => model.lossAndGradient(prefix, [[5]], { promptIds: [[-1]] }), 'INVALID_ARGUMENT', 'promptIds'],
      [() => model.lossAndGradient(prefix, [[5]], { attentionMask: [[1]] }), 'SHAPE_MISMATCH', 'attentionMask'],
    ];
    for (const [run, code, argument] of refused)
      await expect(run()).rejects.toMatchObject({ code, details: { argument } });
    await expect(model.lossAndGradient(prefix, [[5]], { promptId: [[1]] } as never)).rejects.toMatchObject({
      code: 'UNKNOWN_OPTION',
    });
  });
});

test('a prefix without positions needs a prompt, before a decoder-only model', async () => {
  await using model = await load('llama');
  const empty: TokenEmbeddings = { type: 'float32', dims: [1, 0, model.embeddingSize], data: new Float32Array(0) };
  await expect(model.lossAndGradient(empty, [[5]])).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { argument: 'promptIds[0]' },
  });
  const { loss, prefixGradient } = await model.lossAndGradient(empty, [[5]], { promptIds: [[3]] });
  expect(loss).toBeGreaterThan(0);
  expect(prefixGradient.dims).toEqual([1, 0, model.embeddingSize]);
});

test('a text that is too long is refused', async () => {
  await using model = await load('opt');
  const prefix = await prefixFor(model, 1);
  const targets = [new Array<number>(model.maxPositions).fill(5)];
  await expect(model.lossAndGradient(prefix, targets)).rejects.toMatchObject({ code: 'SEQUENCE_TOO_LONG' });
});

test('a language model that does not offer it is refused by its name', () => {
  const model = fakeLanguageModel();
  expect(() => expectDifferentiable(model, 'language model of the caller')).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED_ARCHITECTURE',
      message: expect.stringContaining('language model of the caller') as unknown,
    }),
  );
});
