import { join } from 'node:path';

import { decodeImage } from '@blip2/processor';
import { describe, expect, test } from 'vitest';

import { repository } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { demoModelFolder, demoRetrievalFolder } from '../model/demo-model.ts';
import { loadEmbeddingModel } from '../model/load-embedding-model.ts';
import { loadRetrievalModel } from '../model/load-retrieval-model.ts';
import type { FeaturePart, LoadSettings } from '../model/model-port.ts';

const { signal } = new AbortController();
const image = (): ReturnType<typeof decodeImage> => decodeImage(join(repository, 'examples/one-large-star.png'));
const texts = ['a large yellow star', 'three green triangles'];

/** A module whose encoder multiplies the features of the checkpoint's by `factor`. */
const scaled = (factor: number, more = ''): string => `
  export default {
    async parts({ parts }) {
      const own = await parts.vision();
      const { imageSize, hiddenSize } = own;
      const encode = async (pixels, options) => {
        const { type, dims, data } = await own.encode(pixels, options);
        return { type, dims, data: data.map((value) => value * ${factor}) };
      };
      const dispose = async () => {
        globalThis.blip2EncoderDisposals = (globalThis.blip2EncoderDisposals ?? 0) + 1;
      };
      return { vision: { imageSize, hiddenSize, encode, [Symbol.asyncDispose]: dispose } };
    },
    ${more}
  };`;

async function settings(code: string | undefined): Promise<LoadSettings> {
  const at = await temporaryFolder({ 'mine.mjs': code ?? '' });
  return { signal, localFilesOnly: true, threads: 1, ...(code !== undefined && { module: at('mine.mjs') }) };
}

async function scoresWith(code: string | undefined): Promise<unknown> {
  await using model = await loadRetrievalModel(demoRetrievalFolder, await settings(code));
  return await model.match([{ image: await image(), texts }], { signal });
}

async function featuresWith(
  code: string | undefined,
  part: FeaturePart,
  folder: string,
): Promise<{ readonly dims: readonly number[]; readonly values: readonly number[] }> {
  await using model = await loadEmbeddingModel(folder, part, await settings(code));
  const [features] = await model.embedImages([await image()], { signal });
  return { dims: features?.dims ?? [], values: [...(features?.data ?? [])] };
}

describe('the vision encoder of a module', () => {
  test('is used by match, and disposed of', async () => {
    const own = await scoresWith(undefined);
    const before = Number(Reflect.get(globalThis, 'blip2EncoderDisposals') ?? 0);
    expect(await scoresWith(scaled(1, 'questionTemplate: (question) => question,'))).toEqual(own);
    expect(await scoresWith(scaled(0))).not.toEqual(own);
    expect(Reflect.get(globalThis, 'blip2EncoderDisposals')).toBe(before + 2);
  });

  test('is used by embed', async () => {
    const own = await featuresWith(undefined, 'vision', demoModelFolder);
    expect(own.values.some((value) => value !== 0)).toBe(true);
    expect(await featuresWith(scaled(2), 'vision', demoModelFolder)).toEqual({
      dims: own.dims,
      values: own.values.map((value) => 2 * value),
    });
  });

  test.each([
    ['qformer', demoModelFolder],
    ['projection', demoModelFolder],
    ['image-proj', demoRetrievalFolder],
  ] as const)('is used for the features of %s', async (part, folder) => {
    const own = await featuresWith(undefined, part, folder);
    expect(await featuresWith(scaled(1), part, folder)).toEqual(own);
    expect((await featuresWith(scaled(0), part, folder)).values).not.toEqual(own.values);
  });
});

test('the Q-Former of a module is used by embed', async () => {
  const code = `export default { parts: async ({ parts }) => {
    const own = await parts.qformer();
    const { hiddenSize, encoderHiddenSize, numQueryTokens } = own;
    const query = async (patches) => {
      const { type, dims, data } = await own.query(patches);
      return { type, dims, data: data.map((value) => -value) };
    };
    const sizes = { conditioning: 'none', hiddenSize, encoderHiddenSize, numQueryTokens };
    return { qformer: { ...sizes, query, async [Symbol.asyncDispose]() {} } };
  } };`;
  const own = await featuresWith(undefined, 'qformer', demoModelFolder);
  expect((await featuresWith(code, 'qformer', demoModelFolder)).values).toEqual(own.values.map((value) => -value));
});

const PART = (name: string): string => `
  const sizes = { imageSize: 64, hiddenSize: 7, encoderHiddenSize: 128, inFeatures: 7, outFeatures: 7 };
  const language = { architecture: 'causal', embeddingSize: 1, vocabularySize: 1 };
  const methods = { encode() {}, query() {}, embed() {}, start() {}, project() {}, async [Symbol.asyncDispose]() {} };
  export default { parts: async () => ({ ${name}: { ...sizes, ...language, ...methods } }) };`;

describe('unsupported parts', () => {
  test.each([
    [
      'no parts',
      'export default { questionTemplate: (question) => question };',
      'INVALID_ARGUMENT',
      'this one has none',
    ],
    ['a Q-Former', PART('qformer'), 'INVALID_ARGUMENT', 'must be one of vision, got "qformer"'],
    [
      'an encoder of another width',
      PART('vision'),
      'SHAPE_MISMATCH',
      'vision.hiddenSize is 7 but qformer.encoderHiddenSize is 128',
    ],
  ])('of a retrieval checkpoint (%s) are rejected', async (_what, code, expected, words) => {
    await expect(loadRetrievalModel(demoRetrievalFolder, await settings(code))).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining(words),
    });
  });

  test.each([
    [
      'a language model',
      'vision',
      PART('language'),
      'INVALID_ARGUMENT',
      'must be one of vision, qformer, projection, got "language"',
    ],
    [
      'an encoder of another width',
      'qformer',
      PART('vision'),
      'SHAPE_MISMATCH',
      'vision.hiddenSize is 7 but qformer.encoderHiddenSize is 128',
    ],
    [
      'a projection of another width',
      'projection',
      PART('projection'),
      'SHAPE_MISMATCH',
      'qformer.hiddenSize is 96 but projection.inFeatures is 7',
    ],
  ] as const)('of embed (%s) are rejected', async (_what, part, code, expected, words) => {
    await expect(loadEmbeddingModel(demoModelFolder, part, await settings(code))).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining(words),
    });
  });
});
