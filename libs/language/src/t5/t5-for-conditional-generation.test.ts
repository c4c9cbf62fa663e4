import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, readTensor, saveCheckpoint, storedTensorSource, tensorSource } from '@blip2/checkpoint';
import { T5Config } from '@blip2/config';
import type { Logits, TokenIds } from '@blip2/interfaces';
import { languageModelConformance } from '@blip2/testing';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';

import { t5Tensors } from '../seq2seq/t5-tensors.ts';
import { T5ForConditionalGeneration } from './t5-for-conditional-generation.ts';

/** A Flan-T5, stored in a whole model's checkpoint. */
const checkpoint = join(import.meta.dirname, '../../../../tools/parity/cases/t5/checkpoint');
/** T5 v1.0: no gate, a tied head; heads that do not add up to the model's width, odd buckets. */
const plain = T5Config.create({
  vocabSize: 40,
  dModel: 24,
  dKv: 5,
  numHeads: 3,
  dFf: 30,
  numLayers: 2,
  numDecoderLayers: 1,
  relativeAttentionNumBuckets: 9,
  relativeAttentionMaxDistance: 17,
  decoderStartTokenId: 0,
});
const TOLERANCE = 1e-4;

const models = {
  flan: T5ForConditionalGeneration.fromPretrained(checkpoint, { threads: 1 }),
  plain: T5ForConditionalGeneration.fromConfig(plain, { seed: 7, threads: 1 }),
};
afterAll(async () => {
  for (const model of Object.values(models)) await (await model).dispose();
});

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (b[index] ?? Number.NaN))), 0);
}

function rowsOf({ dims: [, positions, vocabulary], data }: Logits, row: number, count = positions): Float32Array {
  return data.subarray(row * positions * vocabulary, (row * positions + count) * vocabulary);
}

describe('T5 conforms to the seam', () => {
  for (const check of languageModelConformance({
    create: () => T5ForConditionalGeneration.fromPretrained(checkpoint, { threads: 1 }),
  }))
    test(check.name, check.run);
});

describe.each(['flan', 'plain'] as const)('a decoder with a cache (%s)', (name) => {
  const inputIds: TokenIds[] = [
    [5, 6, 7, 8, 9, 3, 2, 1],
    [9, 8, 7, 6, 1, 0, 0, 0],
  ];
  const attentionMask = [
    [1, 1, 1, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 1, 0, 0, 0],
  ];
  /** Longer than one growth of the cache, and than the exact buckets. */
  const target = Array.from({ length: 40 }, (_, index) => (index * 7) % 30);

  test('logits token by token equal those of the full forward, beyond the first growth of the cache', async () => {
    const model = await models[name];
    const decoderInputIds = [
      [0, ...target],
      [0, ...target.toReversed()],
    ];
    const { logits } = await model.forward({ inputIds, attentionMask, decoderInputIds });
    expect(logits?.dims).toEqual([2, target.length + 1, model.vocabularySize]);
    await using decoding = await model.start({ inputsEmbeds: await model.embed(inputIds), attentionMask });
    const vocabulary = model.vocabularySize;
    let scores = decoding.logits;
    for (let position = 0; position <= target.length; position++) {
      if (position > 0) scores = await decoding.extend({ ids: decoderInputIds.map((row) => [row[position] ?? 0]) });
      for (const row of [0, 1]) {
        const start = (row * (target.length + 1) + position) * vocabulary;
        expect(
          largestDifference(
            scores.data.subarray(row * vocabulary, (row + 1) * vocabulary),
            logits?.data.subarray(start, start + vocabulary) ?? new Float32Array(),
          ),
        ).toBeLessThan(TOLERANCE);
      }
    }
    expect(decoding.length).toBe(target.length + 1);
  });
});

describe('the full forward', () => {
  const inputIds = [[5, 6, 7, 1]];

  test('computes the same logits with and without attentions, whose rows sum to one', async () => {
    const model = await models.flan;
    const decoderInputIds = [[0, 4, 5]];
    const fused = await model.forward({ inputIds, decoderInputIds });
    const mapped = await model.forward(
      { inputIds, decoderInputIds },
      { outputAttentions: true, outputHiddenStates: true },
    );
    expect(
      largestDifference(mapped.logits?.data ?? new Float32Array(), fused.logits?.data ?? new Float32Array(1)),
    ).toBeLessThan(TOLERANCE);
    const { numHeads, numLayers, numDecoderLayers } = model.config;
    expect(mapped.encoderAttentions?.map(({ dims }) => dims)).toEqual(new Array(numLayers).fill([1, numHeads, 4, 4]));
    expect(mapped.decoderAttentions?.map(({ dims }) => dims)).toEqual(
      new Array(numDecoderLayers).fill([1, numHeads, 3, 3]),
    );
    expect(mapped.crossAttentions?.map(({ dims }) => dims)).toEqual(
      new Array(numDecoderLayers).fill([1, numHeads, 3, 4]),
    );
    expect(
      mapped.crossAttentions?.[0]?.data.slice(0, 4).reduce((sum, probability) => sum + probability, 0),
    ).toBeCloseTo(1, 5);
    expect(mapped.encoderHiddenStates).toHaveLength(numLayers + 1);
    expect(mapped.encoderHiddenStates?.at(-1)?.data).toEqual(mapped.encoderLastHiddenState?.data);
    expect(mapped.decoderHiddenStates?.at(-1)?.data).toEqual(mapped.lastHiddenState?.data);
    expect(fused).not.toHaveProperty('crossAttentions');
  });

  test('the decoder input is the start token and the labels; the loss at position i uses label i', async () => {
    const model = await models.flan;
    const { logits, loss } = await model.forward({ inputIds, labels: [[4, -100, 5]] });
    const told = await model.forward({ inputIds, decoderInputIds: [[0, 4, 0]] });
    expect(logits?.data).toEqual(told.logits?.data);
    const vocabulary = model.vocabularySize;
    const surprise = (position: number, label: number): number => {
      const scores = Array.from(logits?.data.subarray(position * vocabulary, (position + 1) * vocabulary) ?? []);
      return Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0)) - (scores[label] ?? Number.NaN);
    };
    expect(loss?.dims).toEqual([1]);
    expect(loss?.data[0]).toBeCloseTo((surprise(0, 4) + surprise(2, 5)) / 2, 4);
  });

  test('runs only the encoder without ids or labels of the decoder', async () => {
    expect(Object.keys(await (await models.flan).forward({ inputIds }))).toEqual(['encoderLastHiddenState']);
  });

  test('relative positions count padding: only rows padded on the right equal the unpadded rows', async () => {
    const model = await models.flan;
    const decoderInputIds = [[0, 4]];
    const alone = await model.forward({ inputIds, decoderInputIds });
    const scores = async (ids: TokenIds, mask: TokenIds): Promise<number> => {
      const both = await model.forward({
        inputIds: [[9, 9, 9, 9, 9, 9], ids],
        attentionMask: [[1, 1, 1, 1, 1, 1], mask],
        decoderInputIds: [
          [0, 4],
          [0, 4],
        ],
      });
      return both.logits && alone.logits ? largestDifference(rowsOf(both.logits, 1), alone.logits.data) : Number.NaN;
    };
    expect(await scores([5, 6, 7, 1, 0, 0], [1, 1, 1, 1, 0, 0])).toBeLessThan(TOLERANCE);
    // As between image tokens and a text that is padded on the left.
    expect(await scores([5, 6, 7, 0, 0, 1], [1, 1, 1, 0, 0, 1])).toBeGreaterThan(TOLERANCE);
  });

  test('masks positions of the decoder', async () => {
    const model = await models.flan;
    const masked = async (hidden: number): Promise<Logits | undefined> =>
      (await model.forward({ inputIds, decoderInputIds: [[0, hidden, 5]], decoderAttentionMask: [[1, 0, 1]] })).logits;
    const [one, other] = [await masked(4), await masked(9)];
    const last = (logits: Logits | undefined): Float32Array =>
      logits?.data.slice(2 * model.vocabularySize) ?? new Float32Array();
    expect(last(one)).toEqual(last(other));
    const { logits } = await model.forward({ inputIds, decoderInputIds: [[0, 4, 5]] });
    expect(largestDifference(last(one), last(logits))).toBeGreaterThan(TOLERANCE);
  });

  test.each([
    ['ids and embeddings missing', {}, 'INVALID_ARGUMENT'],
    ['a mask of another length', { inputIds, attentionMask: [[1, 1]] }, 'SHAPE_MISMATCH'],
    [
      'a decoder mask of another length',
      { inputIds, decoderInputIds: [[0, 4]], decoderAttentionMask: [[1]] },
      'SHAPE_MISMATCH',
    ],
    [
      'labels of another length than the decoder ids',
      { inputIds, decoderInputIds: [[0, 4]], labels: [[4]] },
      'SHAPE_MISMATCH',
    ],
    ['an id outside the vocabulary', { inputIds, decoderInputIds: [[100_000]] }, 'INVALID_ARGUMENT'],
  ])('rejects %s', async (_what, inputs, code) => {
    await expect((await models.flan).forward(inputs)).rejects.toMatchObject({ code });
  });

  test('requires a start token to shift labels', async () => {
    const config = T5Config.fromJson({ ...T5Config.toJson(plain), model_type: 't5', decoder_start_token_id: null });
    await using model = await T5ForConditionalGeneration.fromConfig(config, { seed: 1, threads: 1 });
    await expect(model.forward({ inputIds, labels: [[4]] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('the start of a decoding', () => {
  test('rejects a number of decoder rows that differs from the prompts', async () => {
    const model = await models.flan;
    const prompt = { inputsEmbeds: await model.embed([[5, 6]]), attentionMask: [[1, 1]] };
    await expect(model.start({ ...prompt, decoderInputIds: [[0], [0]] })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
  });
});

describe('the token embedding', () => {
  /** The file of a tiny T5 with a further table, in which one row differs by `change`. */
  async function withTable(name: string, change: number): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-t5-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await (await models.plain).savePretrained(folder);
    const { tensors } = await openCheckpoint(folder);
    const words = await readTensor(tensors.get('shared.weight') ?? expect.fail('no table'));
    const data = words.data.map((value, index) => (index === 30 * 24 ? value + change : value));
    const sources = [...tensors.values()].map((tensor) => storedTensorSource(tensor));
    await saveCheckpoint(folder, [...sources, tensorSource(name, { type: 'float32', dims: words.dims, data })]);
    return folder;
  }

  test.each(['encoder.embed_tokens.weight', 'decoder.embed_tokens.weight'])(
    'may also be stored as %s, but must be equal',
    async (name) => {
      await using model = await T5ForConditionalGeneration.fromPretrained(await withTable(name, 0), { threads: 1 });
      expect(model.vocabularySize).toBe(40);
      await expect(
        T5ForConditionalGeneration.fromPretrained(await withTable(name, 1), { threads: 1 }),
      ).rejects.toMatchObject({ code: 'UNSUPPORTED_ARCHITECTURE', message: expect.stringContaining(name) as string });
    },
  );
});

describe('the tensors of a T5', () => {
  const names = (config: T5Config): string[] => t5Tensors(config, 'language_model').map(({ name }) => name);

  test('have no gate and no separate head in v1.0', () => {
    expect(names(plain)).toContain('language_model.encoder.block.0.layer.1.DenseReluDense.wi.weight');
    expect(names(plain)).not.toContain('language_model.lm_head.weight');
    expect(
      t5Tensors(plain, '').find(({ name }) => name === 'decoder.block.0.layer.1.EncDecAttention.o.weight')?.shape,
    ).toEqual([24, 15]);
  });

  test('have both from v1.1 on, and one relative position embedding per stack', () => {
    const flan = T5Config.fromJson({
      model_type: 't5',
      num_layers: 2,
      feed_forward_proj: 'gated-gelu',
      tie_word_embeddings: false,
    });
    expect(names(flan)).toEqual(
      expect.arrayContaining([
        'language_model.decoder.block.1.layer.2.DenseReluDense.wi_1.weight',
        'language_model.lm_head.weight',
        'language_model.shared.weight',
      ]),
    );
    expect(names(flan).filter((name) => name.includes('relative_attention_bias'))).toHaveLength(2);
    expect(new Set(names(flan)).size).toBe(names(flan).length);
  });
});
