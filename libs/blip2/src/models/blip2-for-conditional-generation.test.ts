import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import { Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, OptConfig } from '@blip2/config';
import type { PixelValues } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { pseudoRandomTensor } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { modelTensors } from '../checkpoint/model-tensors.ts';
import { TINY_VISION } from '../fixtures/tiny-vision.ts';
import { openCheckpointParts } from '../parts/checkpoint-parts.ts';
import { Blip2ForConditionalGeneration } from './blip2-for-conditional-generation.ts';
import { Blip2Model } from './blip2-model.ts';

const root = join(import.meta.dirname, '../../../..');
const opt = join(root, 'tools/parity/cases/opt/checkpoint');
const legacy = join(root, 'tools/parity/cases/opt-legacy-fp16/checkpoint');

function image(side: number, batch = 1): PixelValues {
  return pseudoRandomTensor(batch, 3, side, side);
}
function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}
const tinyText = { vocabSize: 20, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2, ffnDim: 12 };
const tinyConfig = Blip2Config.fromVisionQFormerTextConfigs(
  Blip2VisionConfig.create({ ...TINY_VISION, hiddenSize: 8, intermediateSize: 12 }),
  Blip2QFormerConfig.create({
    hiddenSize: 8,
    intermediateSize: 12,
    numHiddenLayers: 2,
    numAttentionHeads: 2,
    encoderHiddenSize: 8,
  }),
  OptConfig.create({ ...tinyText, wordEmbedProjDim: 8, maxPositionEmbeddings: 32, eosTokenId: 2 }),
  { numQueryTokens: 3, imageTokenIndex: 19 },
);

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-model-'));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});
const leftovers = async (): Promise<string[]> =>
  (await readdir(scratch)).filter((name) => name.startsWith('blip2-random'));

describe('a random model', () => {
  test('has the same logits after saving and loading, and leaves no files', async () => {
    const target = join(scratch, 'saved');
    const pixelValues = image(16, 2);
    const inputIds = [
      [19, 19, 19, 2, 5],
      [19, 19, 19, 2, 6],
    ];
    const logits = async (): Promise<Float32Array> => {
      await using model = await Blip2ForConditionalGeneration.fromConfig(tinyConfig, { seed: 7, folder: scratch });
      expect(await leftovers()).toHaveLength(1);
      expect(model.config).toMatchObject({ numQueryTokens: 3, imageTokenIndex: 19 });
      await model.savePretrained(target);
      return (await model.forward({ pixelValues, inputIds })).logits.data;
    };
    const before = await logits();
    expect(await leftovers()).toEqual([]);
    await using loaded = await Blip2ForConditionalGeneration.fromPretrained(target);
    expect((await loaded.forward({ pixelValues, inputIds })).logits.data).toEqual(before);
    expect(JSON.parse(await readFile(join(target, 'config.json'), 'utf8'))).toMatchObject({
      architectures: ['Blip2ForConditionalGeneration'],
      torch_dtype: 'float32',
    });
    const { tensors } = await openCheckpoint(target);
    expect([...tensors.keys()].toSorted()).toEqual(
      modelTensors(tinyConfig)
        .map(({ name }) => name)
        .toSorted(),
    );
  });

  test('starts from the values of its initializer', async () => {
    const names: string[] = [];
    await using model = await Blip2ForConditionalGeneration.fromConfig(tinyConfig, {
      initializer: (name) => (names.push(name), { kind: 'zeros' }),
    });
    const { logits } = await model.forward({ pixelValues: image(16) });
    expect(new Set(logits.data)).toEqual(new Set([0]));
    expect(names).toContain('query_tokens');
  });

  test('leaves no files if it cannot be created', async () => {
    await expect(
      Blip2ForConditionalGeneration.fromConfig(tinyConfig, {
        folder: scratch,
        initializer: (name) => {
          if (name.startsWith('language_model')) throw new TypeError('refused');
          return { kind: 'zeros' };
        },
      }),
    ).rejects.toThrow('refused');
    await expect(
      Blip2ForConditionalGeneration.fromConfig(tinyConfig, { folder: scratch, threads: 0 }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await leftovers()).toEqual([]);
  });
});

describe('savePretrained', () => {
  test('copies a checkpoint with all its files, in other shards and another stored type', async () => {
    const target = join(scratch, 'copy');
    await using model = await Blip2ForConditionalGeneration.fromPretrained(opt);
    await model.savePretrained(target, { dtype: 'bfloat16', maxShardBytes: 200_000 });
    const files = await readdir(target);
    expect(files).toEqual(
      expect.arrayContaining([
        'config.json',
        'tokenizer.json',
        'preprocessor_config.json',
        'model-00001-of-00002.safetensors',
        'model.safetensors.index.json',
      ]),
    );
    const [before, after] = [await openCheckpoint(opt), await openCheckpoint(target)];
    expect([...after.tensors.keys()].toSorted()).toEqual([...before.tensors.keys()].toSorted());
    expect(new Set([...after.tensors.values()].map(({ dtype }) => dtype))).toEqual(new Set(['BF16']));
    expect(JSON.parse(await readFile(join(target, 'config.json'), 'utf8'))).toMatchObject({
      torch_dtype: 'bfloat16',
      image_token_index: 420,
    });
    await using narrow = await Blip2ForConditionalGeneration.fromPretrained(target);
    const [wide, rounded] = [await model.encodeImages(image(32)), await narrow.encodeImages(image(32))];
    const length = (data: Float32Array): number => Math.hypot(...data);
    const error =
      length(wide.data.map((value, index) => value - (rounded.data[index] ?? Number.NaN))) / length(wide.data);
    expect(error).toBeGreaterThan(0);
    // bfloat16 keeps eight significant bits, which the tiny random model amplifies.
    expect(error).toBeLessThan(0.1);
  });

  test('can overwrite its own source', async () => {
    const folder = join(scratch, 'inplace');
    await using original = await Blip2ForConditionalGeneration.fromPretrained(opt);
    await original.savePretrained(folder);
    await using model = await Blip2ForConditionalGeneration.fromPretrained(folder);
    const before = await model.encodeImages(image(32));
    await model.savePretrained(folder);
    expect((await model.encodeImages(image(32))).data).toEqual(before.data);
    await using again = await Blip2ForConditionalGeneration.fromPretrained(folder);
    expect((await again.encodeImages(image(32))).data).toEqual(before.data);
  });
});

describe.each([
  ['with image tokens', opt, 32],
  ['of 2023', legacy, 224],
])('a model %s', (_, folder, side) => {
  test('returns the same for images and for their prefix', async () => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(folder);
    const pixelValues = image(side);
    const prefix = await model.encodeImages(pixelValues);
    expect(prefix.dims).toEqual([1, model.config.numQueryTokens, model.languageModel.embeddingSize]);
    const [whole, reused] = [await model.forward({ pixelValues }), await model.forward({ pixelValues: prefix })];
    expect(reused.logits.data).toEqual(whole.logits.data);
    expect(whole.visionOutputs).toBeDefined();
    expect(reused).not.toHaveProperty('visionOutputs');
    expect(reused).not.toHaveProperty('qformerOutputs');
    const options = { maxNewTokens: 4 } as const;
    expect((await model.generate({ pixelValues: prefix }, options)).sequences).toEqual(
      (await model.generate({ pixelValues }, options)).sequences,
    );
  });

  test('generates the token with the highest logit of forward first', async () => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(folder);
    const pixelValues = image(side);
    const { logits } = await model.forward({ pixelValues });
    const last = logits.data.subarray(-logits.dims[2]);
    expect((await model.generate({ pixelValues }, { maxNewTokens: 1 })).sequences).toEqual([
      [last.indexOf(Math.max(...last))],
    ]);
  });
});

describe('Blip2ForConditionalGeneration', () => {
  test('returns hidden states of every part that runs, if the call or the configuration requests them', async () => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(opt);
    const { visionOutputs, qformerOutputs, languageModelOutputs } = await model.forward(
      { pixelValues: image(32) },
      { outputHiddenStates: true, outputAttentions: true },
    );
    for (const outputs of [visionOutputs, qformerOutputs, languageModelOutputs])
      expect(outputs).toMatchObject({
        hiddenStates: expect.any(Array) as unknown,
        attentions: expect.any(Array) as unknown,
      });
    const asking = Blip2Config.fromJson({
      ...Blip2Config.toJson(tinyConfig, { full: true }),
      output_hidden_states: true,
    });
    await using second = await Blip2ForConditionalGeneration.fromConfig(asking);
    const outputs = await second.forward({ pixelValues: image(16) });
    expect(outputs.languageModelOutputs).toHaveProperty('hiddenStates');
    expect(outputs.visionOutputs).toHaveProperty('hiddenStates');
    expect(outputs.visionOutputs).not.toHaveProperty('attentions');
  });

  test('returns the cache of the language model only, on request', async () => {
    await using model = await Blip2ForConditionalGeneration.fromPretrained(opt);
    const pixelValues = image(32);
    const { logits, qformerOutputs, languageModelOutputs } = await model.forward({ pixelValues }, { useCache: true });
    const positions = languageModelOutputs.pastKeyValues?.map((layer) =>
      'key' in layer ? layer.key.dims[2] : undefined,
    );
    expect([...new Set(positions)]).toEqual([logits.dims[1]]);
    expect(qformerOutputs).not.toHaveProperty('pastKeyValues');
    expect((await model.forward({ pixelValues })).languageModelOutputs).not.toHaveProperty('pastKeyValues');
  });

  test('refuses unknown options and names their replacements', async () => {
    const load = (options: object): Promise<unknown> => Blip2ForConditionalGeneration.fromPretrained(opt, options);
    await expect(load({ dtype: 'fp16' })).rejects.toThrow(failure('UNSUPPORTED_DTYPE', /fp16.*load as they are/));
    await expect(load({ dtype: 'q3' })).rejects.toThrow(failure('UNSUPPORTED_DTYPE', /fp32/));
    await expect(load({ threads: 0 })).rejects.toThrow(failure('INVALID_ARGUMENT', /threads/));
    await expect(load({ threads: 1.5 })).rejects.toThrow(failure('INVALID_ARGUMENT'));
    await expect(Blip2ForConditionalGeneration.fromPretrained(join(scratch, 'nowhere'))).rejects.toThrow(
      failure('MISSING_FILE'),
    );
  });

  test('loads parts on first use, and only those that are used', async () => {
    const made: string[] = [];
    await using model = await Blip2ForConditionalGeneration.fromPretrained(opt, {
      createSession: (graph, options) => (made.push(graph.name), createSession(graph, options)),
    });
    expect(made).toEqual([]);
    await model.encodeImages(image(32));
    expect(made).toEqual(['vision_model', 'qformer', 'language_projection']);
  });

  test('fails after disposal', async () => {
    const model = await Blip2ForConditionalGeneration.fromPretrained(opt);
    await model.forward({ pixelValues: image(32) });
    await model.dispose();
    await model[Symbol.asyncDispose]();
    await expect(model.forward({ pixelValues: image(32) })).rejects.toThrow(failure('DISPOSED'));
    await expect(model.generate({ pixelValues: image(32) })).rejects.toThrow(failure('DISPOSED'));
    await expect(model.languageModel.generate({ inputIds: [[2]] })).rejects.toThrow(failure('DISPOSED'));
  });

  test('computes the same in a worker as inline', async () => {
    await using inline = await Blip2ForConditionalGeneration.fromPretrained(opt);
    await using worker = await Blip2ForConditionalGeneration.fromPretrained(opt, { isolate: 'worker' });
    const pixelValues = image(32);
    const options = { outputHiddenStates: true } as const;
    const [here, there] = [
      await inline.forward({ pixelValues }, options),
      await worker.forward({ pixelValues }, options),
    ];
    expect(there).toEqual(here);
    const beams = { numBeams: 3, maxNewTokens: 5 } as const;
    expect(await worker.generate({ pixelValues }, beams)).toEqual(await inline.generate({ pixelValues }, beams));
    await expect(worker.forward({ pixelValues: image(40) })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /interpolatePosEncoding/),
    );
  });
});

describe('Blip2Model', () => {
  test('returns the output of each part', async () => {
    await using model = await Blip2Model.fromPretrained(opt);
    const pixelValues = image(32);
    const features = await model.getImageFeatures({ pixelValues });
    expect(features.lastHiddenState.data).toEqual((await model.visionModel.encode(pixelValues)).data);
    const queries = await model.getQFormerFeatures({ pixelValues });
    expect(queries.lastHiddenState.data).toEqual((await model.qformer.query(features.lastHiddenState)).data);
    const text = await model.getTextFeatures({ inputIds: [[2, 5, 6]] });
    expect(text.logits?.dims).toEqual([1, 3, 432]);
    expect(await model.forward({ pixelValues })).toMatchObject({ logits: { dims: [1, 7, 432] } });
  });
});

describe('openCheckpointParts', () => {
  test('creates each part once, and none after disposal', async () => {
    const parts = await openCheckpointParts(opt);
    const [first, second] = await Promise.all([parts.vision(), parts.vision()]);
    expect(first).toBe(second);
    await parts[Symbol.asyncDispose]();
    await expect(first.encode(image(32))).rejects.toThrow(failure('DISPOSED'));
    await expect(parts.language()).rejects.toThrow(failure('DISPOSED'));
  });
});
