import type { PixelValues, VisionEncoder } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { fakeLanguageProjection, fakeQFormer, fakeVisionEncoder } from '../fakes/fake-parts.ts';
import { languageProjectionConformance } from './language-projection-conformance.ts';
import { qformerConformance } from './qformer-conformance.ts';
import { visionEncoderConformance } from './vision-encoder-conformance.ts';

const create = (): VisionEncoder => fakeVisionEncoder({ imageSize: 4, hiddenSize: 3, patches: 2 });

describe.each([
  ['vision encoder', visionEncoderConformance({ create })],
  [
    'Q-Former',
    qformerConformance({ create: () => fakeQFormer({ numQueryTokens: 3, hiddenSize: 4, encoderHiddenSize: 5 }) }),
  ],
  [
    'language projection',
    languageProjectionConformance({ create: () => fakeLanguageProjection({ inFeatures: 4, outFeatures: 6 }) }),
  ],
])('the fake %s conforms', (_, checks) => {
  for (const check of checks) test(check.name, check.run);
});

type Encode = VisionEncoder['encode'];

/** A vision encoder broken in one way. */
const broken =
  (breakEncode: (encode: Encode, encoder: VisionEncoder) => Encode, changes: Partial<VisionEncoder> = {}) =>
  (): VisionEncoder => {
    const encoder = create();
    return { ...encoder, ...changes, encode: breakEncode(encoder.encode, encoder) };
  };
const unchanged = (encode: Encode): Encode => encode;

/** Each check with an encoder that it must reject. */
const sabotage: Readonly<Record<string, () => VisionEncoder>> = {
  'gives what its declared widths promise': broken(unchanged, { hiddenSize: 7 }),
  'gives the same result for the same input': broken((encode) => async (pixelValues) => {
    const output = await encode(pixelValues);
    return { ...output, data: output.data.map((value) => value + Math.random()) };
  }),
  'gives each entry of a batch the result it has alone': broken((encode) => async (pixelValues) => {
    const output = await encode(pixelValues);
    return { ...output, data: output.data.map((value) => value * pixelValues.dims[0]) };
  }),
  'tells inputs apart': broken(
    (encode) => (pixelValues) => encode({ ...pixelValues, data: new Float32Array(pixelValues.data.length) }),
  ),
  'leaves its input as it was': broken((encode) => (pixelValues) => {
    const output = encode(pixelValues);
    pixelValues.data.fill(0);
    return output;
  }),
  'leaves earlier results as they were': broken((encode) => {
    const shared = new Float32Array(2 * 2 * 3);
    return async (pixelValues) => {
      const output = await encode(pixelValues);
      shared.set(output.data);
      return { ...output, data: shared.subarray(0, output.data.length) };
    };
  }),
  'keeps calls at the same time apart': broken((encode) => {
    let current: PixelValues;
    return async (pixelValues) => {
      current = pixelValues;
      await Promise.resolve();
      return encode(current);
    };
  }),
  'refuses an input that does not fit': broken(
    (encode, { imageSize }) =>
      (pixelValues) =>
        encode({ ...pixelValues, dims: [pixelValues.dims[0], pixelValues.dims[1], imageSize, imageSize] }),
  ),
  'can be disposed of twice': () => {
    const encoder = create();
    let count = 0;
    return {
      ...encoder,
      [Symbol.asyncDispose]: () => (count++ > 0 ? Promise.reject(new TypeError('released twice')) : Promise.resolve()),
    };
  },
  'finishes or refuses what is under way when it is disposed of': () => {
    const encoder = create();
    let released = false;
    return {
      ...encoder,
      async encode(pixelValues) {
        const output = await encoder.encode(pixelValues);
        return released ? { ...output, data: new Float32Array(output.data.length) } : output;
      },
      async [Symbol.asyncDispose]() {
        released = true;
      },
    };
  },
  'refuses work after it was disposed of': () => ({ ...create(), [Symbol.asyncDispose]: async () => undefined }),
};

describe('a broken part is noticed', () => {
  for (const name of visionEncoderConformance({ create }).map((check) => check.name)) {
    test(`by "${name}"`, async () => {
      const check = visionEncoderConformance({ create: sabotage[name]! }).find((other) => other.name === name);
      await expect(check!.run()).rejects.toThrow();
    });
  }
});
