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

/** Creates vision encoders with one defect. */
const broken =
  (breakEncode: (encode: Encode, encoder: VisionEncoder) => Encode, changes: Partial<VisionEncoder> = {}) =>
  (): VisionEncoder => {
    const encoder = create();
    return { ...encoder, ...changes, encode: breakEncode(encoder.encode, encoder) };
  };
const unchanged = (encode: Encode): Encode => encode;

/** For each check an encoder that must fail it. */
const defects: Readonly<Record<string, () => VisionEncoder>> = {
  'returns tensors of the declared widths': broken(unchanged, { hiddenSize: 7 }),
  'returns equal results for equal inputs': broken((encode) => async (pixelValues) => {
    const output = await encode(pixelValues);
    return { ...output, data: output.data.map((value) => value + Math.random()) };
  }),
  'returns equal results for an entry alone and in a batch': broken((encode) => async (pixelValues) => {
    const output = await encode(pixelValues);
    return { ...output, data: output.data.map((value) => value * pixelValues.dims[0]) };
  }),
  'returns different results for different inputs': broken(
    (encode) => (pixelValues) => encode({ ...pixelValues, data: new Float32Array(pixelValues.data.length) }),
  ),
  'does not modify its input': broken((encode) => (pixelValues) => {
    const output = encode(pixelValues);
    pixelValues.data.fill(0);
    return output;
  }),
  'does not modify earlier results': broken((encode) => {
    const shared = new Float32Array(2 * 2 * 3);
    return async (pixelValues) => {
      const output = await encode(pixelValues);
      shared.set(output.data);
      return { ...output, data: shared.subarray(0, output.data.length) };
    };
  }),
  'keeps concurrent calls independent': broken((encode) => {
    let current: PixelValues;
    return async (pixelValues) => {
      current = pixelValues;
      await Promise.resolve();
      return encode(current);
    };
  }),
  'rejects inputs of the wrong width': broken(
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
  'completes or rejects running calls on disposal': () => {
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
  'rejects calls after disposal': () => ({ ...create(), [Symbol.asyncDispose]: async () => undefined }),
};

describe('a broken part is detected', () => {
  for (const name of visionEncoderConformance({ create }).map((check) => check.name)) {
    test(`by "${name}"`, async () => {
      const check = visionEncoderConformance({ create: defects[name]! }).find((other) => other.name === name);
      await expect(check!.run()).rejects.toThrow();
    });
  }
});
