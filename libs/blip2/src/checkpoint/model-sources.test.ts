import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, storedTensorSource, writeSafetensors } from '@blip2/checkpoint';
import {
  ClipVisionConfig,
  Dinov2Config,
  Gpt2Config,
  Qwen2Config,
  readConfig,
  SiglipVisionConfig,
  VitConfig,
} from '@blip2/config';
import { GPT2LMHeadModel, Qwen2ForCausalLM } from '@blip2/language';
import { ClipVisionEncoder, Dinov2VisionEncoder, SiglipVisionEncoder, VitEncoder } from '@blip2/vision';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2ForConditionalGeneration } from '../models/blip2-for-conditional-generation.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import { Blip2 } from '../tasks/blip2.ts';
import { InstructBlip } from '../tasks/instructblip.ts';
import { resolveSources } from './model-sources.ts';

const root = join(import.meta.dirname, '../../../..');
const demo = join(root, 'apps/cli/models/blip2-opt-shapes');
const retrieval = join(root, 'apps/cli/models/blip2-itm-shapes');
const image = join(root, 'examples/left-of.png');
const size = { hiddenSize: 128, numHiddenLayers: 2, numAttentionHeads: 4 };
const vision = { ...size, intermediateSize: 96, imageSize: 32, patchSize: 8, initializerRange: 0.3 };
const options = { seed: 7, threads: 1 };
const tokens = { vocabSize: 448, bosTokenId: 2, eosTokenId: 202, padTokenId: 1, initializerRange: 0.3 };

/** Saves parts of each family in folders of their own. */
const encoders: Readonly<Record<string, () => Promise<Savable>>> = {
  clip: () => ClipVisionEncoder.fromConfig(ClipVisionConfig.create(vision), options),
  siglip: () => SiglipVisionEncoder.fromConfig(SiglipVisionConfig.create(withoutRange(vision)), options),
  dinov2: () => Dinov2VisionEncoder.fromConfig(Dinov2Config.create(withoutWidth(vision)), options),
  vit: () => VitEncoder.fromConfig(VitConfig.create(vision), options),
};
const languageModels: Readonly<Record<string, () => Promise<Savable>>> = {
  qwen2: () =>
    Qwen2ForCausalLM.fromConfig(
      Qwen2Config.create({ ...size, ...tokens, intermediateSize: 96, numKeyValueHeads: 2 }),
      options,
    ),
  gpt2: () => GPT2LMHeadModel.fromConfig(Gpt2Config.create({ ...size, ...tokens, maxPositionEmbeddings: 96 }), options),
};

interface Savable extends AsyncDisposable {
  savePretrained(folder: string): Promise<void>;
}
function withoutRange({ initializerRange: _, ...rest }: typeof vision): Omit<typeof vision, 'initializerRange'> {
  return rest;
}
function withoutWidth({ intermediateSize: _, ...rest }: typeof vision): Omit<typeof vision, 'intermediateSize'> {
  return rest;
}

let scratch = '';
const at = (name: string): string => join(scratch, name);
const settings = { size: { height: 32, width: 32 }, image_mean: [0.1, 0.2, 0.3], image_std: [0.4, 0.5, 0.6] };

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-sources-'));
  for (const [name, create] of Object.entries({ ...encoders, ...languageModels })) {
    await using part = await create();
    await part.savePretrained(at(name));
  }
  for (const name of Object.keys(encoders))
    await writeFile(join(at(name), 'preprocessor_config.json'), JSON.stringify(settings));
});
afterAll(() => rm(scratch, { recursive: true }));

describe.each(Object.keys(encoders))('an encoder of %s', (encoder) => {
  test.each(Object.keys(languageModels))('with a language model of %s', async (language) => {
    const sources = { qformer: demo, vision: at(encoder), language: at(language) };
    await using blip2 = await Blip2.fromPretrained(sources, { threads: 1 });
    const { settings: own } = blip2.processor.imageProcessor;
    expect(own).toMatchObject({ imageMean: [0.1, 0.2, 0.3], imageStd: [0.4, 0.5, 0.6] });
    const generation = { maxNewTokens: 5, minNewTokens: 5 };
    const { tokenIds } = await blip2.caption(image, generation);
    expect(tokenIds.length).toBe(5);

    // The saved model is whole: one source gives the same.
    await using model = await Blip2ForConditionalGeneration.fromPretrained(sources, { threads: 1 });
    const saved = at(`whole-${encoder}-${language}`);
    await model.savePretrained(saved);
    await using again = await Blip2.fromPretrained(saved, { threads: 1 });
    expect(again.processor.imageProcessor.settings).toEqual(own);
    expect((await again.caption(image, generation)).tokenIds).toEqual(tokenIds);
    expect(await readConfig(saved)).toMatchObject({ text_config: { model_type: language } });
  });
});

describe('settings of images', () => {
  test('of the processor are used for an encoder without its own, if the processor is named', async () => {
    const bare = at('bare');
    await cp(at('siglip'), bare, { recursive: true });
    await rm(join(bare, 'preprocessor_config.json'));
    await expect(resolveSources({ qformer: demo, vision: bare }, {})).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('source.processor') as string,
    });
    const folders = await resolveSources({ qformer: demo, vision: bare, processor: demo }, {});
    expect(folders).toMatchObject({ images: demo, processor: demo, vision: bare });
  });

  test('of the encoder replace those in processor_config.json when the model is saved', async () => {
    const nested = at('nested');
    await cp(demo, nested, { recursive: true });
    const processor = JSON.parse(await readFile(join(demo, 'processor_config.json'), 'utf8')) as object;
    const other = { ...settings, image_mean: [0.9, 0.9, 0.9] };
    await writeFile(join(nested, 'processor_config.json'), JSON.stringify({ ...processor, image_processor: other }));
    await using model = await Blip2ForConditionalGeneration.fromPretrained({ qformer: nested, vision: at('clip') });
    await model.savePretrained(at('whole-nested'));
    await using blip2 = await Blip2.fromPretrained(at('whole-nested'), { threads: 1 });
    expect(blip2.processor.imageProcessor.settings.imageMean).toEqual([0.1, 0.2, 0.3]);
    expect(blip2.processor.numQueryTokens).toBe(12);
  });
});

describe('the tokenizer', () => {
  test('is that of the language model if it has one, and then the image comes before the text', async () => {
    const language = at('qwen2-with-tokenizer');
    await cp(at('qwen2'), language, { recursive: true });
    for (const name of ['tokenizer.json', 'tokenizer_config.json'])
      await cp(join(demo, name), join(language, name)).catch(() => undefined);
    await using blip2 = await Blip2.fromPretrained({ qformer: demo, language }, { threads: 1 });
    expect(blip2.processor.numQueryTokens).toBeUndefined();
    await using own = await Blip2.fromPretrained({ qformer: demo, language: at('qwen2') }, { threads: 1 });
    // The same vocabulary, so the image tokens of the checkpoint still exist. The family is another one.
    expect(own.processor.numQueryTokens).toBeUndefined();
    const generation = { maxNewTokens: 4, minNewTokens: 4 };
    expect((await blip2.caption(image, generation)).tokenIds).toEqual((await own.caption(image, generation)).tokenIds);
  });
});

describe('parts that do not fit', () => {
  test('are refused with both widths', async () => {
    const wide = at('wide');
    const config = VitConfig.create({ ...vision, hiddenSize: 64 });
    await using encoder = await VitEncoder.fromConfig(config, options);
    await encoder.savePretrained(wide);
    await writeFile(join(wide, 'preprocessor_config.json'), JSON.stringify(settings));
    await expect(Blip2.fromPretrained({ qformer: demo, vision: wide }, { threads: 1 })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringContaining('vision.hiddenSize is 64 but qformer.encoderHiddenSize is 128') as string,
    });
  });

  test('of a language model are refused when the model is loaded', async () => {
    const narrow = at('narrow');
    const config = Gpt2Config.create({ ...size, ...tokens, hiddenSize: 64 });
    await using language = await GPT2LMHeadModel.fromConfig(config, options);
    await language.savePretrained(narrow);
    await expect(Blip2.fromPretrained({ qformer: demo, language: narrow }, { threads: 1 })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      message: expect.stringContaining('projection.outFeatures is 128 but language.embeddingSize is 64') as string,
    });
  });

  test('a language model as encoder is refused with the registered families', async () => {
    await mkdir(at('empty'), { recursive: true });
    await expect(Blip2.fromPretrained({ qformer: demo, vision: at('gpt2') })).rejects.toMatchObject({
      code: 'UNSUPPORTED_ARCHITECTURE',
      message: expect.stringContaining('siglip_vision_model') as string,
    });
    await expect(Blip2.fromPretrained({ qformer: demo, vision: at('empty') })).rejects.toMatchObject({
      code: 'MISSING_FILE',
    });
  });
});

test('a GPT-2 whose names lack the path of the body, as in the first repositories, is complete', async () => {
  const first = at('first-gpt2');
  await cp(at('gpt2'), first, { recursive: true });
  const { tensors } = await openCheckpoint(at('gpt2'));
  await rm(join(first, 'model.safetensors'));
  await writeSafetensors(
    join(first, 'model.safetensors'),
    [...tensors.values()].map((tensor) => storedTensorSource(tensor, tensor.name.replace(/^transformer\./, ''))),
  );
  const generation = { maxNewTokens: 4, minNewTokens: 4 };
  await using model = await Blip2ForConditionalGeneration.fromPretrained({ qformer: demo, language: first });
  await model.savePretrained(at('whole-first-gpt2'));
  await using blip2 = await Blip2.fromPretrained(at('whole-first-gpt2'), { threads: 1 });
  await using own = await Blip2.fromPretrained({ qformer: demo, language: at('gpt2') }, { threads: 1 });
  expect((await blip2.caption(image, generation)).tokenIds).toEqual((await own.caption(image, generation)).tokenIds);
});

test('a ViT without the pooler, as classifiers have it, is complete', async () => {
  const headless = at('headless');
  await cp(at('vit'), headless, { recursive: true });
  const { tensors } = await openCheckpoint(at('vit'));
  const names = [...tensors.values()].filter(({ name }) => !name.startsWith('pooler.'));
  expect(names.length).toBe(tensors.size - 2);
  const file = join(headless, 'model.safetensors');
  await rm(file);
  await writeSafetensors(
    file,
    names.map((tensor) => storedTensorSource(tensor)),
  );
  await using blip2 = await Blip2.fromPretrained({ qformer: demo, vision: headless }, { threads: 1 });
  await using own = await Blip2.fromPretrained({ qformer: demo, vision: at('vit') }, { threads: 1 });
  expect((await blip2.caption(image)).score).toBe((await own.caption(image)).score);
});

test('a DINOv2 whose images are smaller than those of its configuration, as in the stock repositories', async () => {
  const large = at('large-dinov2');
  await using encoder = await Dinov2VisionEncoder.fromConfig(
    Dinov2Config.create({ ...withoutWidth(vision), imageSize: 72 }),
    options,
  );
  await encoder.savePretrained(large);
  await cp(join(at('dinov2'), 'preprocessor_config.json'), join(large, 'preprocessor_config.json'));
  await using blip2 = await Blip2.fromPretrained({ qformer: demo, vision: large }, { threads: 1 });
  expect((await blip2.processor.process({ images: image })).pixelValues.dims).toEqual([1, 3, 32, 32]);
  expect((await blip2.caption(image, { maxNewTokens: 3, minNewTokens: 3 })).tokenIds.length).toBe(3);
});

test('a retrieval model takes an encoder of another family, and no language model', async () => {
  await using matcher = await Blip2Retrieval.fromPretrained(
    { qformer: retrieval, vision: at('siglip') },
    { threads: 1 },
  );
  await using own = await Blip2Retrieval.fromPretrained(retrieval, { threads: 1 });
  const text = 'a blue triangle';
  expect((await matcher.match(image, text)).itm).not.toBe((await own.match(image, text)).itm);
  await expect(Blip2Retrieval.fromPretrained({ qformer: retrieval, language: at('gpt2') })).rejects.toThrow(
    'source.language must be omitted',
  );
});

test('an InstructBLIP model takes an encoder of another family', async () => {
  const instruct = join(root, 'tools/parity/cases/instructblip-llama/checkpoint');
  const config = Object(await readConfig(instruct)) as { vision_config: { hidden_size: number; image_size: number } };
  const fitting = VitConfig.create({
    ...vision,
    hiddenSize: config.vision_config.hidden_size,
    imageSize: config.vision_config.image_size,
  });
  await using encoder = await VitEncoder.fromConfig(fitting, options);
  await encoder.savePretrained(at('instruct-vit'));
  await cp(join(instruct, 'preprocessor_config.json'), join(at('instruct-vit'), 'preprocessor_config.json'));
  await using blip2 = await InstructBlip.fromPretrained({ qformer: instruct, vision: at('instruct-vit') });
  await using own = await InstructBlip.fromPretrained(instruct);
  const generation = { maxNewTokens: 5, minNewTokens: 5 };
  const [swapped, original] = [await blip2.caption(image, generation), await own.caption(image, generation)];
  expect(swapped.score).not.toBe(original.score);
});
