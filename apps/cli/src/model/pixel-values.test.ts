import { BlipImageProcessor } from '@blip2/processor';
import { expect, test } from 'vitest';

import { demoModelFolder } from './demo-model.ts';
import { pixelValuesOf } from './pixel-values.ts';

const { signal } = new AbortController();
const image = { type: 'uint8', dims: [8, 8, 3], data: new Uint8Array(192).fill(128) } as const;

test('pixel values are float32, with the size of the model', async () => {
  const processor = await BlipImageProcessor.fromPretrained(demoModelFolder);
  const { type, dims } = await pixelValuesOf(processor, [image, image], signal);
  expect({ type, dims }).toEqual({ type: 'float32', dims: [2, 3, 64, 64] });
});

test('a processor that neither rescales nor normalizes is rejected', async () => {
  const processor = await BlipImageProcessor.fromPretrained(demoModelFolder);
  const raw = BlipImageProcessor.create({ ...processor.settings, doRescale: false, doNormalize: false });
  await expect(pixelValuesOf(raw, [image], signal)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
});
