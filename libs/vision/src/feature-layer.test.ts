import { join } from 'node:path';

import type { HiddenStates } from '@blip2/interfaces';
import { pseudoRandomTensor } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { loadVisionEncoder } from './families.ts';

/** Graphs with other outputs are rounded differently. */
const TOLERANCE = 1e-4;
const cases = join(import.meta.dirname, '../../../tools/parity/cases');

function difference(actual: HiddenStates, expected: HiddenStates | undefined): number {
  expect(actual.dims).toEqual(expected?.dims);
  return actual.data.reduce((most, value, at) => Math.max(most, Math.abs(value - (expected?.data[at] ?? NaN))), 0);
}

describe.each(['opt', 'clip', 'siglip', 'dinov2', 'vit', 'eva', 'eva-mean'])('%s', (name) => {
  const folder = join(cases, name, 'checkpoint');

  test('encode returns the last hidden state of HF, or the hidden states with the given index', async () => {
    await using encoder = await loadVisionEncoder(folder, { threads: 1 });
    const pixelValues = pseudoRandomTensor(2, 3, encoder.imageSize, encoder.imageSize);
    const { lastHiddenState, hiddenStates = [] } = await encoder.forward({ pixelValues }, { outputHiddenStates: true });
    expect(difference(await encoder.encode(pixelValues), lastHiddenState)).toBeLessThan(TOLERANCE);
    for (const featureLayer of [0, 1, -2, -1]) {
      await using layer = await loadVisionEncoder(folder, { threads: 1, featureLayer });
      expect(difference(await layer.encode(pixelValues), hiddenStates.at(featureLayer))).toBeLessThan(TOLERANCE);
      // `forward` is that of HF, whatever the layer.
      const { lastHiddenState: whole } = await layer.forward({ pixelValues });
      expect(difference(whole, lastHiddenState)).toBeLessThan(TOLERANCE);
    }
  });

  test.each([100, -100, 0.5])('refuses the layer %d', async (featureLayer) => {
    const load = async (): Promise<unknown> => {
      await using encoder = await loadVisionEncoder(folder, { threads: 1, featureLayer });
      return await encoder.encode(pseudoRandomTensor(1, 3, encoder.imageSize, encoder.imageSize));
    };
    await expect(load()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('featureLayer') as string,
    });
  });
});
