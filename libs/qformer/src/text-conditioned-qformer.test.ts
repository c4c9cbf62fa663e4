import { join } from 'node:path';

import { Blip2QFormerConfig } from '@blip2/config';
import { createRandomPartWeights, type InitializeTensor, partWeights } from '@blip2/part';
import { pseudoRandomTensor, textConditionedQFormerConformance } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { Blip2QFormerModel } from './blip2-qformer-model.ts';
import { SMALL_QFORMER } from './fixtures/small-qformer.ts';
import { qformerTensors } from './graph/qformer-graph.ts';
import { textEmbeddingsTensors } from './graph/text-embeddings-graph.ts';
import { MatchingHead, RetrievalProjection } from './heads/retrieval-heads.ts';
import { blip2QFormerLayout, instructBlipQFormerLayout, type QFormerLayout } from './qformer-layout.ts';
import { createTextConditionedQFormer, TextConditionedQFormer } from './text-conditioned-qformer.ts';

const root = join(import.meta.dirname, '../../..');
const itm = join(root, 'tools/parity/cases/itm/checkpoint');
const cases = [
  ['the itm case', itm],
  ['the demo checkpoint', join(root, 'apps/cli/models/blip2-itm-shapes')],
] as const;

const failure = (code: string): unknown => expect.objectContaining({ name: 'Blip2Error', code });

describe.each(cases)('the Q-Former with text of %s', (_, folder) => {
  for (const check of textConditionedQFormerConformance({
    create: () => TextConditionedQFormer.fromPretrained(folder, { threads: 1 }),
    vocabularySize: 200,
  }))
    test(check.name, check.run);
});

describe('a Q-Former with text input', () => {
  test('without text equals the plain Q-Former', async () => {
    await using withText = await TextConditionedQFormer.fromPretrained(itm);
    await using plain = await Blip2QFormerModel.fromPretrained(itm);
    const patches = pseudoRandomTensor(2, 5, plain.encoderHiddenSize);
    expect((await withText.forward({ encoderHiddenStates: patches })).lastHiddenState).toEqual(
      await plain.query(patches),
    );
  });

  test('text positions start at 0 by default, also after queries', async () => {
    await using qformer = await TextConditionedQFormer.fromPretrained(itm);
    const [plain, given, shifted] = [
      await qformer.embed({ inputIds: [[5, 6, 7]] }),
      await qformer.embed({ inputIds: [[5, 6, 7]], positionIds: [[0, 1, 2]] }),
      await qformer.embed({ inputIds: [[5, 6, 7]], positionIds: [[1, 2, 3]] }),
    ];
    expect(given).toEqual(plain);
    expect(shifted.data).not.toEqual(plain.data);
    const behind = await qformer.embed({ inputIds: [[5, 6, 7]] }, { queryTokens: true });
    const { numQueryTokens, hiddenSize } = qformer;
    expect(behind.dims).toEqual([1, numQueryTokens + 3, hiddenSize]);
    expect(behind.data.subarray(0, numQueryTokens * hiddenSize)).toEqual(qformer.queryTokens.data);
    expect(behind.data.subarray(numQueryTokens * hiddenSize)).toEqual(plain.data);
  });

  test('rejects ids and positions outside the embeddings, and masks of another shape', async () => {
    await using qformer = await TextConditionedQFormer.fromPretrained(itm);
    const { vocabSize, maxPositionEmbeddings } = qformer.config;
    for (const inputIds of [[[vocabSize]], [[-1]]])
      await expect(qformer.read({ inputIds })).rejects.toEqual(failure('INVALID_ARGUMENT'));
    await expect(qformer.read({ inputIds: [[1]], positionIds: [[maxPositionEmbeddings]] })).rejects.toEqual(
      failure('INVALID_ARGUMENT'),
    );
    await expect(qformer.read({ inputIds: [new Array<number>(maxPositionEmbeddings + 1).fill(1)] })).rejects.toEqual(
      failure('SEQUENCE_TOO_LONG'),
    );
    await expect(qformer.read({ inputIds: [[1, 2], [3]] })).rejects.toEqual(failure('SHAPE_MISMATCH'));
    await expect(qformer.read({ inputIds: [[1, 2]], attentionMask: [[1]] })).rejects.toEqual(failure('SHAPE_MISMATCH'));
  });

  test('cannot be loaded from a checkpoint without text weights', async () => {
    await using qformer = await TextConditionedQFormer.fromPretrained(join(root, 'tools/parity/cases/opt/checkpoint'));
    await expect(qformer.read({ inputIds: [[1]] })).rejects.toEqual(failure('MISSING_WEIGHT'));
  });

  test('loads embeddings and norm from the paths of InstructBLIP', async () => {
    const config = Blip2QFormerConfig.create({ ...SMALL_QFORMER, numHiddenLayers: 2 });
    await using own = await constantQFormer(config, blip2QFormerLayout);
    await using instruct = await constantQFormer(config, instructBlipQFormerLayout);
    const text = { inputIds: [[1, 2, 3]], attentionMask: [[1, 1, 1]] };
    const result = await instruct.query(pseudoRandomTensor(1, 4, 10), text);
    expect(result).toEqual(await own.query(pseudoRandomTensor(1, 4, 10), text));
    expect(new Set(result.data).size).toBeGreaterThan(5);
  });
});

describe('heads of retrieval', () => {
  test('projections return unit vectors', async () => {
    await using projection = await RetrievalProjection.fromPretrained(itm, 'vision_projection');
    const { data, dims } = await projection.project(pseudoRandomTensor(2, 3, projection.inFeatures));
    expect(dims).toEqual([2, 3, projection.outFeatures]);
    for (let row = 0; row < 6; row++)
      expect(Math.hypot(...data.subarray(row * dims[2], (row + 1) * dims[2]))).toBeCloseTo(1, 5);
  });

  test('the matching head averages over queries', async () => {
    await using head = await MatchingHead.fromPretrained(itm);
    const [one, other] = [
      pseudoRandomTensor(1, 1, head.inFeatures),
      {
        ...pseudoRandomTensor(1, 1, head.inFeatures),
        data: pseudoRandomTensor(1, 2, head.inFeatures).data.slice(head.inFeatures),
      },
    ];
    const both = await head.classify({
      type: 'float32',
      dims: [1, 2, head.inFeatures],
      data: Float32Array.from([...one.data, ...other.data]),
    });
    const [a, b] = [await head.classify(one), await head.classify(other)];
    expect(both.dims).toEqual([1, 2]);
    for (const column of [0, 1]) expect(both.data[column]).toBeCloseTo((a.data[column]! + b.data[column]!) / 2, 5);
  });
});

/** Every weight of one kind is the same number, wherever the layout puts it; the queries differ. */
async function constantQFormer(
  config: Blip2QFormerConfig,
  { qformer, embeddings, norm }: QFormerLayout,
): Promise<TextConditionedQFormer> {
  const tensors = [
    ...qformerTensors(config, qformer, { norm, text: true }),
    ...textEmbeddingsTensors(config, embeddings),
  ];
  const initializer: InitializeTensor = (name) => ({ kind: name.endsWith('.bias') ? 'zeros' : 'ones' });
  const weights = await createRandomPartWeights(tensors, initializer);
  return createTextConditionedQFormer({
    config,
    norm,
    weights: { ...weights, prefix: qformer },
    embeddingWeights: partWeights(weights.store, embeddings),
    queryTokens: {
      type: 'float32',
      dims: [1, 2, config.hiddenSize],
      data: pseudoRandomTensor(1, 2, config.hiddenSize).data,
    },
  });
}
