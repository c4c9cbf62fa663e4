import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Tensor } from '@blip2/interfaces';
import { loadLanguageModel } from '@blip2/language';
import { BlipImageProcessor, expectFloatPixels } from '@blip2/processor';
import { loadVisionEncoder } from '@blip2/vision';
import { describe, expect, onTestFinished, test } from 'vitest';

import { sameFolder } from '../checkpoint/model-sources.ts';
import { Blip2Model } from '../models/blip2-model.ts';
import { InstructBlipForConditionalGeneration } from '../models/instructblip-for-conditional-generation.ts';
import { loadProcessor } from '../parts/load-processor.ts';
import { Blip2Features } from './blip2-features.ts';
import type { FeatureOptions } from './feature-parts.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const OPTIONS = { threads: 1 } as const;
/** Graphs with other outputs are rounded differently; some states have values of a few hundred. */
const TOLERANCE = 1e-5;
const TEXT = 'what is it?';

const folderOf = (name: string): string => join(cases, name, 'checkpoint');
const imageOf = (name: string, image: string): string => join(cases, name, 'images', image);

async function openFeatures(name: string): Promise<Blip2Features> {
  const features = await Blip2Features.fromPretrained(folderOf(name), OPTIONS);
  onTestFinished(() => features.dispose());
  return features;
}

/** Compares one result with the first row of a batch. */
function expectRow(actual: Tensor<'float32'> | undefined, expected: Tensor<'float32'> | undefined): void {
  expect(actual?.dims).toEqual(expected?.dims.slice(1));
  const range = expected?.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1) ?? Number.NaN;
  const largest = actual?.data.reduce((most, value, at) => Math.max(most, Math.abs(value - expected!.data[at]!)), 0);
  expect(largest).toBeLessThan(TOLERANCE * range);
}

describe.each(['opt', 't5'])('BLIP-2 with a language model: %s', (name) => {
  const image = imageOf(name, 'alpha.png');

  test('has features of images; the default are those of the Q-Former', async () => {
    const features = await openFeatures(name);
    expect([features.kind, features.parts.images[0], features.parts.both]).toEqual([
      'generation',
      'qformer',
      ['language'],
    ]);
    await using model = await Blip2Model.fromPretrained(folderOf(name), OPTIONS);
    const processor = await BlipImageProcessor.fromPretrained(folderOf(name));
    const pixelValues = expectFloatPixels((await processor.process(image)).pixelValues);
    const all = { outputHiddenStates: true };
    const vision = await model.getImageFeatures({ pixelValues }, all);
    const qformer = await model.getQFormerFeatures({ pixelValues }, all);
    const of = async (options: FeatureOptions): Promise<Tensor<'float32'> | undefined> =>
      (await features.embed({ images: [image] }, options))[0];
    expectRow(await of({ part: 'vision' }), vision.lastHiddenState);
    expectRow(await of({ part: 'vision', layer: -2 }), vision.hiddenStates?.at(-2));
    expectRow(await of({ part: 'vision', layer: 0 }), vision.hiddenStates?.[0]);
    expectRow(await of({}), qformer.lastHiddenState);
    expectRow(await of({ layer: 1 }), qformer.hiddenStates?.[1]);
    expectRow(await of({ part: 'projection' }), await model.pipeline.encodeImages(pixelValues));
  });

  test('has the hidden states of the language model, with a text, an image or both', async () => {
    const features = await openFeatures(name);
    await using model = await Blip2Model.fromPretrained(folderOf(name), OPTIONS);
    const processor = await loadProcessor({ folders: sameFolder(folderOf(name)), config: model.config });
    const statesOf = async (inputs: Parameters<typeof model.forward>[0]): Promise<readonly Tensor<'float32'>[]> => {
      const extra = name === 't5' ? { decoderInputIds: [[0]] } : {};
      const { languageModelOutputs } = await model.forward({ ...inputs, ...extra }, { outputHiddenStates: true });
      const outputs: {
        hiddenStates?: readonly Tensor<'float32'>[];
        encoderHiddenStates?: readonly Tensor<'float32'>[];
      } = languageModelOutputs;
      return outputs.encoderHiddenStates ?? outputs.hiddenStates ?? [];
    };
    const { pixelValues, ...prompt } = await processor.process({ images: [image], text: [TEXT] });
    const images = expectFloatPixels(pixelValues);
    const both = await statesOf({ pixelValues: images, ...prompt });
    const inputs = { images: [image], text: [TEXT] };
    expectRow((await features.embed(inputs))[0], both.at(-1));
    expectRow((await features.embed(inputs, { layer: 1 }))[0], both[1]);
    expectRow(
      (await features.embed({ images: [image] }, { part: 'language' }))[0],
      (await statesOf({ pixelValues: images })).at(-1),
    );
    const ids = processor.tokenizer.encode(TEXT);
    const text = await model.getTextFeatures({ inputIds: [ids] });
    expectRow((await features.embed({ text: [TEXT, 'a'] }))[0], text.lastHiddenState);
    expect((await features.embed({ text: [TEXT, 'a'] })).map(({ dims }) => dims[0])).toEqual([
      ids.length,
      processor.tokenizer.encode('a').length,
    ]);
  });

  test.each([
    ['a part that it does not have', { images: [image] }, { part: 'image-proj' }],
    ['queries of a text', { text: ['a'] }, { part: 'qformer' }],
    ['a layer of the projection', { images: [image] }, { part: 'projection', layer: 1 }],
    ['a layer that does not exist', { images: [image] }, { layer: 99 }],
    ['half a layer', { images: [image] }, { layer: 0.5 }],
    ['neither images nor texts', {}, {}],
    ['more texts than images', { images: [image], text: ['a', 'b'] }, {}],
    ['an image that is no list', { images: image }, {}],
  ])('refuses %s', async (_, inputs, options) => {
    const features = await openFeatures(name);
    await expect(features.embed(inputs as object, options as FeatureOptions)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });
});

test('InstructBLIP: queries depend on the text, and their layers leave its positions out', async () => {
  const name = 'instructblip-t5';
  const [features, image] = [await openFeatures(name), imageOf(name, 'square.png')];
  expect([features.kind, features.parts.both[0], features.parts.images]).toEqual(['instruct', 'qformer', ['vision']]);
  await using model = await InstructBlipForConditionalGeneration.fromPretrained(folderOf(name), OPTIONS);
  const count = model.config.numQueryTokens;
  const inputs = { images: [image], text: [TEXT] };
  const [last] = await features.embed(inputs);
  const [other] = await features.embed({ images: [image], text: ['where?'] });
  expect(last?.dims).toEqual([count, model.config.qformerConfig.hiddenSize]);
  expect(other?.data).not.toEqual(last?.data);
  const [layer] = await features.embed(inputs, { layer: -1 });
  // The Q-Former has no norm after its last layer.
  expectRow(layer, last && { ...last, dims: [1, ...last.dims] });
  const [language] = await features.embed(inputs, { part: 'language' });
  expect(language?.dims[1]).toBe(model.config.textConfig.hiddenSize);
  expect(language?.dims[0]).toBeGreaterThan(count);
});

test('a retrieval checkpoint has every layer of the encoder and the Q-Former', async () => {
  const [features, image] = [await openFeatures('itm'), imageOf('itm', 'square.png')];
  const widths = async (options: FeatureOptions, inputs: object): Promise<readonly number[] | undefined> =>
    (await features.embed(inputs, options))[0]?.dims;
  const [queries] = await features.embed({ images: [image] }, { part: 'qformer' });
  const [last] = await features.embed({ images: [image] }, { part: 'qformer', layer: -1 });
  expectRow(last, queries && { ...queries, dims: [1, ...queries.dims] });
  const [together] = await features.embed({ images: [image], text: ['a'] });
  const [lastTogether] = await features.embed({ images: [image], text: ['a'] }, { layer: -1 });
  expectRow(lastTogether, together && { ...together, dims: [1, ...together.dims] });
  expect(await widths({ part: 'text', layer: 0 }, { text: ['a'] })).toEqual(
    await widths({ part: 'text' }, { text: ['a'] }),
  );
  expect(await widths({ part: 'vision', layer: 0 }, { images: [image] })).toEqual(
    await widths({ part: 'vision' }, { images: [image] }),
  );
  await expect(features.embed({ images: [image] }, { layer: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test.each(['siglip', 'dinov2', 'vit', 'eva'])('a vision encoder alone: %s', async (name) => {
  const [features, image] = [await openFeatures(name), imageOf(name, 'waves.png')];
  expect(features.parts).toEqual({ images: ['vision'], text: [], both: [] });
  await using encoder = await loadVisionEncoder(folderOf(name), OPTIONS);
  const processor = await BlipImageProcessor.fromPretrained(folderOf(name));
  const pixelValues = expectFloatPixels((await processor.process(image)).pixelValues);
  const outputs = await encoder.forward({ pixelValues }, { outputHiddenStates: true });
  const results = await features.embed({ images: [image, image] });
  expect(results).toHaveLength(2);
  expectRow(results[1], outputs.lastHiddenState);
  expectRow((await features.embed({ images: [image] }, { layer: -2 }))[0], outputs.hiddenStates?.at(-2));
  await expect(features.embed({ text: ['a'] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('a language model alone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-features-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await using part = await loadLanguageModel(folderOf('t5'), OPTIONS);
  await part.savePretrained(folder);
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    await cp(join(folderOf('t5'), file), join(folder, file));
  await using features = await Blip2Features.fromPretrained(folder, OPTIONS);
  const whole = await openFeatures('t5');
  expect([features.kind, features.imageProcessor]).toEqual(['language', undefined]);
  const [[alone], [within]] = [await features.embed({ text: [TEXT] }), await whole.embed({ text: [TEXT] })];
  expect(alone?.data).toEqual(within?.data);
  await writeFile(join(folder, 'config.json'), JSON.stringify({ model_type: 'no_such_model' }));
  await expect(Blip2Features.fromPretrained(folder, OPTIONS)).rejects.toMatchObject({
    code: 'UNSUPPORTED_ARCHITECTURE',
  });
});

test.each(['worker', 'process'] as const)('results do not depend on where the parts run: %s', async (isolate) => {
  const inputs = { images: [imageOf('opt', 'alpha.png')], text: [TEXT] };
  const inline = await (await openFeatures('opt')).embed(inputs, { layer: 1 });
  await using whole = await Blip2Features.fromPretrained(folderOf('opt'), { ...OPTIONS, isolate });
  expect(await whole.embed(inputs, { layer: 1 })).toEqual(inline);
  const images = [imageOf('siglip', 'waves.png')];
  await using alone = await Blip2Features.fromPretrained(folderOf('siglip'), { ...OPTIONS, isolate });
  expect(await alone.embed({ images }, { layer: -2 })).toEqual(
    await (await openFeatures('siglip')).embed({ images }, { layer: -2 }),
  );
});

test('features are disposed of with their parts', async () => {
  for (const isolate of ['inline', 'worker'] as const) {
    const features = await Blip2Features.fromPretrained(folderOf('siglip'), { ...OPTIONS, isolate });
    await features.dispose();
    await expect(features.embed({ images: [imageOf('siglip', 'waves.png')] })).rejects.toMatchObject({
      code: 'DISPOSED',
    });
  }
});
