import { expect, test } from 'vitest';

import { expectFloatPixels, expectFloatSettings } from './float-pixels.ts';

const refusal = expect.objectContaining({ code: 'INVALID_CONFIG' }) as Error;

test('float32 pixel values are returned, uint8 and missing ones are rejected', () => {
  const floats = { type: 'float32', dims: [1, 3, 1, 1], data: new Float32Array(3) } as const;
  expect(expectFloatPixels({ ...floats, dims: [1, 3, 1, 1] })).toEqual(floats);
  expect(() => expectFloatPixels({ type: 'uint8', dims: [1, 3, 1, 1], data: new Uint8Array(3) })).toThrow(refusal);
  expect(() => expectFloatPixels(undefined)).toThrow(refusal);
});

test('settings must enable rescaling or normalising', () => {
  expect(() => expectFloatSettings({ doRescale: true, doNormalize: false })).not.toThrow();
  expect(() => expectFloatSettings({ doRescale: false, doNormalize: true })).not.toThrow();
  expect(() => expectFloatSettings({ doRescale: false, doNormalize: false })).toThrow(refusal);
});
