import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Blip2Features } from '@blip2/blip2';
import type { RgbImage } from '@blip2/interfaces';
import { expect, onTestFinished, test } from 'vitest';

import { demoModelFolder, demoRetrievalFolder } from './demo-model.ts';
import { featurePartsOf } from './feature-parts-of.ts';
import { loadEmbeddingModel } from './load-embedding-model.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const { signal } = new AbortController();
const settings = { signal, localFilesOnly: true, threads: 1 } as const;
const image: RgbImage = {
  type: 'uint8',
  dims: [24, 24, 3],
  data: Uint8Array.from({ length: 24 * 24 * 3 }, (_, index) => (index * 37) % 251),
};

test('the language model, with a text and an image, at a layer', async () => {
  const more = { ...settings, layer: -2 };
  await using model = await loadEmbeddingModel(demoModelFolder, 'language', more);
  const [[first, second] = []] = await model.embedPairs([{ image, texts: ['a', 'a red star'] }], { signal });
  await using features = await Blip2Features.fromPretrained(demoModelFolder, { threads: 1 });
  const [expected] = await features.embed({ images: [image], text: ['a red star'] }, { part: 'language', layer: -2 });
  expect(second).toEqual(expected);
  expect(first?.dims[0]).toBeLessThan(second?.dims[0] ?? 0);
  expect(await model.embedTexts(['a red star'], { signal })).toEqual(
    await features.embed({ text: ['a red star'] }, { layer: -2 }),
  );
});

test('an encoder in a folder of its own', async () => {
  await using model = await loadEmbeddingModel(join(cases, 'siglip/checkpoint'), 'vision', { ...settings, layer: 1 });
  const [states] = await model.embedImages([image], { signal });
  expect(states?.dims).toEqual([16, 32]);
  expect(model.resizing).toMatchObject({ height: 24, width: 24 });
  await expect(model.embedTexts(['a'], { signal })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('InstructBLIP: the queries under a text', async () => {
  await using model = await loadEmbeddingModel(join(cases, 'instructblip-t5/checkpoint'), 'qformer', settings);
  const [[one, two] = []] = await model.embedPairs([{ image, texts: ['what?', 'where?'] }], { signal });
  expect(one?.dims).toEqual(two?.dims);
  expect(one?.data).not.toEqual(two?.data);
});

test('a layer cannot be used with a module, nor can the language model', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-embedding-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const module = join(folder, 'mine.mjs');
  await writeFile(module, 'export default {};');
  for (const [part, more] of [
    ['vision', { layer: 1 }],
    ['language', {}],
  ] as const)
    await expect(loadEmbeddingModel(demoModelFolder, part, { ...settings, module, ...more })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
});

test('the parts of a checkpoint, or nothing if it cannot be read', async () => {
  const partsOf = async (source: string): Promise<readonly string[] | undefined> =>
    (await featurePartsOf(source, settings))?.images;
  expect((await partsOf(demoModelFolder))?.[0]).toBe('qformer');
  expect((await partsOf(demoRetrievalFolder))?.[0]).toBe('image-proj');
  expect(await partsOf(join(cases, 'eva/checkpoint'))).toEqual(['vision']);
  expect(await partsOf(join(cases, 'mt5/checkpoint'))).toEqual([]);
  expect(await partsOf(join(tmpdir(), 'no-such-folder'))).toBeUndefined();
  expect(await partsOf('someone/not-in-the-cache')).toBeUndefined();
});
