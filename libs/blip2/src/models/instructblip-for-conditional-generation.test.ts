import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import { Blip2QFormerConfig, Blip2VisionConfig, InstructBlipConfig, LlamaConfig, readConfig } from '@blip2/config';
import { Blip2Error } from '@blip2/interfaces';
import { InstructBlipProcessor } from '@blip2/processor';
import { fakeVisionEncoder } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { modelTensors } from '../checkpoint/model-tensors.ts';
import { TINY_PIXELS, TINY_VISION } from '../fixtures/tiny-vision.ts';
import { createInstructBlipPipeline } from '../pipeline/instructblip-pipeline.ts';
import { InstructBlipForConditionalGeneration } from './instructblip-for-conditional-generation.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const vicuna = join(cases, 'instructblip-llama/checkpoint');
const flan = join(cases, 'instructblip-t5/checkpoint');
const image = join(cases, 'instructblip-llama/images/photo.jpg');

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-instructblip-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function inputsOf(folder: string, text: string) {
  return (await InstructBlipProcessor.fromPretrained(folder)).process({ images: image, text });
}

describe.each([
  ['Vicuna', vicuna],
  ['Flan-T5', flan],
])('InstructBLIP with %s', (_, folder) => {
  test('depends on the instruction of its Q-Former', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, { threads: 1 });
    const inputs = await inputsOf(folder, 'a photo of');
    const { qformerInputIds } = await inputsOf(folder, 'Question: how many cats are there? Answer:');
    const [one] = await model.scoreSequences(inputs, [[5, 6]]);
    const [other] = await model.scoreSequences(
      {
        pixelValues: inputs.pixelValues,
        inputIds: inputs.inputIds,
        attentionMask: inputs.attentionMask,
        qformerInputIds,
      },
      [[5, 6]],
    );
    expect(Math.abs(one![0]!.sum - other![0]!.sum)).toBeGreaterThan(1e-3);
  });

  test('accepts a prefix instead of images and instruction', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, { threads: 1 });
    const { pixelValues, inputIds, attentionMask, qformerInputIds, qformerAttentionMask } = await inputsOf(
      folder,
      'a photo of',
    );
    const prefix = await model.encodeImages(pixelValues, { qformerInputIds, qformerAttentionMask });
    expect(prefix.dims).toEqual([1, 5, model.languageModel.embeddingSize]);
    const fromPrefix = await model.generate({ pixelValues: prefix, inputIds, attentionMask }, { maxNewTokens: 6 });
    expect(fromPrefix.sequences).toEqual(
      (
        await model.generate(
          { pixelValues, inputIds, attentionMask, qformerInputIds, qformerAttentionMask },
          { maxNewTokens: 6 },
        )
      ).sequences,
    );
    // The default prompt of the model, image tokens and the start token, for both inputs.
    const own = await model.forward({
      pixelValues: prefix,
      labels: model.config.isEncoderDecoder ? [[5, 6]] : [[-100, 5]],
    });
    expect(own.visionOutputs ?? own.qformerOutputs).toBeUndefined();
    expect(own.loss?.data[0]).toBeGreaterThan(0);
  });

  test('refuses images without an instruction', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, { threads: 1 });
    const { pixelValues, inputIds } = await inputsOf(folder, 'a photo of');
    const missing = { code: 'INVALID_ARGUMENT', details: { argument: 'qformerInputIds' } };
    await expect(model.generate({ pixelValues, inputIds })).rejects.toMatchObject(missing);
    await expect(model.forward({ pixelValues, inputIds, labels: inputIds })).rejects.toMatchObject(missing);
  });

  test('is unchanged after saving and loading, with both tokenizers', async () => {
    const target = join(scratch, _);
    await using model = await InstructBlipForConditionalGeneration.fromPretrained(folder, { threads: 1 });
    await model.savePretrained(target);
    expect(await readConfig(target)).toEqual(await readConfig(folder));
    expect(existsSync(join(target, 'qformer_tokenizer/tokenizer.json'))).toBe(true);
    await using again = await InstructBlipForConditionalGeneration.fromPretrained(target, { threads: 1 });
    const inputs = await inputsOf(target, 'a photo of');
    expect((await again.encodeImages(inputs.pixelValues, inputs)).data).toEqual(
      (await model.encodeImages(inputs.pixelValues, inputs)).data,
    );
  });

  test('has the tensors of its checkpoint', async () => {
    const { tensors } = await openCheckpoint(folder);
    const expected = modelTensors(InstructBlipConfig.fromJson(await readConfig(folder))).map(({ name, shape }) => [
      name,
      shape,
    ]);
    expect(expected.sort()).toEqual([...tensors.values()].map(({ name, shape }) => [name, shape]).sort());
  });
});

describe('decoder inputs', () => {
  test('are only accepted by seq2seq models', async () => {
    await using causal = await InstructBlipForConditionalGeneration.fromPretrained(vicuna, { threads: 1 });
    await expect(causal.forward({ ...(await inputsOf(vicuna, 'a')), decoderInputIds: [[0]] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'decoderInputIds' },
    });
    await using seq2seq = await InstructBlipForConditionalGeneration.fromPretrained(flan, { threads: 1 });
    await expect(seq2seq.forward(await inputsOf(flan, 'a'))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'decoderInputIds' },
    });
  });
});

describe('a model with random weights', () => {
  const config = InstructBlipConfig.create({
    visionConfig: Blip2VisionConfig.create({
      ...TINY_VISION,
      initializerRange: 0.3,
    }),
    qformerConfig: Blip2QFormerConfig.create({
      vocabSize: 30,
      hiddenSize: 16,
      intermediateSize: 24,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
      maxPositionEmbeddings: 12,
      initializerRange: 0.3,
    }),
    textConfig: LlamaConfig.create({
      vocabSize: 40,
      hiddenSize: 16,
      intermediateSize: 24,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
      initializerRange: 0.3,
    }),
    numQueryTokens: 3,
    imageTokenIndex: 39,
  });
  const pixelValues = TINY_PIXELS;

  test('depends on its seed, generates, and saves its own class name', async () => {
    const write = async (seed: number): Promise<Float32Array> => {
      await using model = await InstructBlipForConditionalGeneration.fromConfig(config, {
        seed,
        threads: 1,
        initializer: (name) => (/norm[^.]*\.weight$/i.test(name) ? { kind: 'ones' } : { kind: 'normal', std: 0.3 }),
      });
      await model.savePretrained(join(scratch, `random-${seed}`));
      const { sequences } = await model.generate({ pixelValues, qformerInputIds: [[2, 5, 3]] }, { maxNewTokens: 3 });
      expect(sequences).toHaveLength(1);
      return (await model.encodeImages(pixelValues, { qformerInputIds: [[2, 5, 3]] })).data;
    };
    expect(await write(1)).toEqual(await write(1));
    expect(await write(1)).not.toEqual(await write(2));
    expect(await readConfig(join(scratch, 'random-1'))).toMatchObject({
      model_type: 'instructblip',
      architectures: ['InstructBlipForConditionalGeneration'],
      qformer_config: { model_type: 'instructblip_qformer' },
    });
  });

  test('refuses an instruction that is too long or from another tokenizer', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromConfig(config, { threads: 1 });
    await expect(
      model.encodeImages(pixelValues, { qformerInputIds: [new Array<number>(13).fill(1)] }),
    ).rejects.toMatchObject({ code: 'SEQUENCE_TOO_LONG' });
    await expect(model.encodeImages(pixelValues, { qformerInputIds: [[30]] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(model.encodeImages(pixelValues, { qformerInputIds: [[1], [2]] })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
  });

  test('refuses adjacent parts of different widths', async () => {
    await using model = await InstructBlipForConditionalGeneration.fromConfig(config, { threads: 1 });
    const { qformer, projection, language } = model.pipeline;
    expect(() =>
      createInstructBlipPipeline(
        { vision: fakeVisionEncoder({ imageSize: 16, hiddenSize: 5, patches: 2 }), qformer, projection, language },
        config,
      ),
    ).toThrow(Blip2Error);
  });
});

test('refuses the checkpoint of another model', async () => {
  await expect(
    InstructBlipForConditionalGeneration.fromPretrained(join(cases, 'opt/checkpoint')),
  ).rejects.toMatchObject({ code: 'UNSUPPORTED_ARCHITECTURE' });
});
