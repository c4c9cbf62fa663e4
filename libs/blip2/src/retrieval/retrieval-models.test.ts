import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import { Blip2Config, readConfig } from '@blip2/config';
import type { PixelValues } from '@blip2/interfaces';
import { pseudoRandom } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2ForImageTextRetrieval, type RetrievalOutput } from './blip2-for-image-text-retrieval.ts';
import { Blip2TextModelWithProjection } from './blip2-text-model-with-projection.ts';
import { Blip2VisionModelWithProjection } from './blip2-vision-model-with-projection.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const itm = join(cases, 'itm/checkpoint');
const failure = (code: string): unknown => expect.objectContaining({ name: 'Blip2Error', code });

let scratch = '';
let config: Blip2Config;
let pixelValues: PixelValues;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-retrieval-'));
  config = Blip2Config.fromJson(await readConfig(itm));
  const { imageSize } = config.visionConfig;
  pixelValues = {
    type: 'float32',
    dims: [2, 3, imageSize, imageSize],
    data: Float32Array.from({ length: 6 * imageSize ** 2 }, (_, index) => pseudoRandom(index)),
  };
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const text = {
  inputIds: [
    [2, 47, 116, 3],
    [2, 28, 3, 0],
  ],
  attentionMask: [
    [1, 1, 1, 1],
    [1, 1, 1, 0],
  ],
};
const both = async (model: Blip2ForImageTextRetrieval): Promise<[RetrievalOutput, RetrievalOutput]> => [
  await model.forward({ pixelValues, ...text }, { useImageTextMatchingHead: true }),
  await model.forward({ pixelValues, ...text }),
];
/** Weights large enough not to vanish in rounding. */
const initializer = (name: string): { kind: 'ones' } | { kind: 'normal'; std: number } =>
  /norm[^.]*\.weight$/i.test(name) ? { kind: 'ones' } : { kind: 'normal', std: 0.1 };

describe('Blip2ForImageTextRetrieval', () => {
  test('with random weights is unchanged after saving, and has the tensors of the stock layout', async () => {
    const folder = join(scratch, 'random');
    await using model = await Blip2ForImageTextRetrieval.fromConfig(config, { initializer, seed: 1 });
    const before = await both(model);
    await model.savePretrained(folder);
    const [saved, stock] = [await openCheckpoint(folder), await openCheckpoint(itm)];
    expect([...saved.tensors.keys()].toSorted()).toEqual([...stock.tensors.keys()].toSorted());
    expect(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))).toMatchObject({
      architectures: ['Blip2ForImageTextRetrieval'],
    });
    await using loaded = await Blip2ForImageTextRetrieval.fromPretrained(folder);
    expect(await both(loaded)).toEqual(before);
  });

  test('returns hidden states and attention maps of vision and text on request', async () => {
    await using model = await Blip2ForImageTextRetrieval.fromPretrained(itm);
    const options = { outputHiddenStates: true, outputAttentions: true };
    const { textModelOutput, visionModelOutput } = await model.forward(
      { pixelValues, ...text },
      { ...options, useImageTextMatchingHead: true },
    );
    const { numHiddenLayers, crossAttentionFrequency } = config.qformerConfig;
    expect(textModelOutput.hiddenStates).toHaveLength(numHiddenLayers + 1);
    expect(textModelOutput.attentions).toHaveLength(numHiddenLayers);
    expect(textModelOutput.crossAttentions).toHaveLength(Math.ceil(numHiddenLayers / crossAttentionFrequency));
    expect(visionModelOutput.attentions).toHaveLength(config.visionConfig.numHiddenLayers);
    const plain = await model.forward({ pixelValues, ...text });
    expect(plain.textModelOutput.hiddenStates).toBeUndefined();
  });

  test('ignores the image tokens of a checkpoint that has them', async () => {
    const folder = join(scratch, 'with-image-token');
    await cp(itm, folder, { recursive: true });
    const json = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...json, image_token_index: 9 }));
    await using plain = await Blip2ForImageTextRetrieval.fromPretrained(itm);
    await using model = await Blip2ForImageTextRetrieval.fromPretrained(folder);
    const front = <T>(entry: T): T[] => new Array<T>(config.numQueryTokens).fill(entry);
    const inputs = {
      pixelValues,
      inputIds: text.inputIds.map((row) => [...front(9), ...row]),
      attentionMask: text.attentionMask.map((row) => [...front(1), ...row]),
    };
    const expected = await both(plain);
    expect([await model.forward(inputs, { useImageTextMatchingHead: true }), await model.forward(inputs)]).toEqual(
      expected,
    );
  });

  test('matches equally many texts and images, and compares any numbers', async () => {
    await using model = await Blip2ForImageTextRetrieval.fromPretrained(itm);
    const three = {
      inputIds: [
        [2, 3],
        [2, 3],
        [2, 3],
      ],
    };
    await expect(model.forward({ pixelValues, ...three }, { useImageTextMatchingHead: true })).rejects.toEqual(
      failure('SHAPE_MISMATCH'),
    );
    const { logitsPerImage, logitsPerText } = await model.forward({ pixelValues, ...three });
    expect([logitsPerImage.dims, logitsPerText.dims]).toEqual([
      [2, 3],
      [3, 2],
    ]);
    expect(logitsPerText.data[1]).toBe(logitsPerImage.data[3]);
  });

  test('and the text half refuse checkpoints whose Q-Former has no text input', async () => {
    for (const model of [Blip2ForImageTextRetrieval, Blip2TextModelWithProjection]) {
      await expect(model.fromPretrained(join(cases, 'opt/checkpoint'))).rejects.toEqual(
        failure('UNSUPPORTED_ARCHITECTURE'),
      );
      await expect(model.fromConfig(Blip2Config.create())).rejects.toEqual(failure('UNSUPPORTED_ARCHITECTURE'));
    }
  });
});

describe('the image half and the text half', () => {
  test('save only their own parts and are unchanged after loading', async () => {
    const [textFolder, visionFolder] = [join(scratch, 'text'), join(scratch, 'vision')];
    await using textModel = await Blip2TextModelWithProjection.fromPretrained(itm);
    await using visionModel = await Blip2VisionModelWithProjection.fromPretrained(itm);
    await textModel.savePretrained(textFolder);
    await visionModel.savePretrained(visionFolder);
    const names = async (folder: string): Promise<string[]> =>
      [...new Set([...(await openCheckpoint(folder)).tensors.keys()].map((name) => name.split('.')[0]!))].toSorted();
    expect(await names(textFolder)).toEqual(['embeddings', 'qformer', 'query_tokens', 'text_projection']);
    expect(await names(visionFolder)).toEqual(['qformer', 'query_tokens', 'vision_model', 'vision_projection']);
    await using textAgain = await Blip2TextModelWithProjection.fromPretrained(textFolder);
    await using visionAgain = await Blip2VisionModelWithProjection.fromPretrained(visionFolder);
    expect(await textAgain.forward(text)).toEqual(await textModel.forward(text));
    expect(await visionAgain.forward({ pixelValues })).toEqual(await visionModel.forward({ pixelValues }));
  });

  test('return the embeddings that the whole model compares', async () => {
    await using model = await Blip2ForImageTextRetrieval.fromPretrained(itm);
    await using textModel = await Blip2TextModelWithProjection.fromPretrained(itm);
    await using visionModel = await Blip2VisionModelWithProjection.fromPretrained(itm);
    const { textEmbeds, imageEmbeds } = await model.forward({ pixelValues, ...text });
    const size = config.imageTextHiddenSize;
    const ofText = (await textModel.forward(text)).textEmbeds;
    expect(ofText.data.subarray(0, size)).toEqual(textEmbeds.data.subarray(0, size));
    expect((await visionModel.forward({ pixelValues })).imageEmbeds).toEqual(imageEmbeds);
  });

  test('are created with random weights and the tensors of the stock layout', async () => {
    await using textModel = await Blip2TextModelWithProjection.fromConfig(config, { initializer });
    await using visionModel = await Blip2VisionModelWithProjection.fromConfig(config, { initializer });
    expect((await textModel.forward(text)).textEmbeds.dims).toEqual([2, 4, config.imageTextHiddenSize]);
    expect((await visionModel.forward({ pixelValues })).imageEmbeds.dims).toEqual([
      2,
      config.numQueryTokens,
      config.imageTextHiddenSize,
    ]);
  });
});
