import { join } from 'node:path';

import type { AttentionMask, TokenIds } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { loadLanguageModel } from '../families.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const refused = (code: string, words: RegExp): unknown =>
  expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
const rightPadded = refused('INVALID_ARGUMENT', /^attentionMask must be 1 at the last position.*Pad on the left/);

describe.each(['opt', 'instructblip-llama'])('the decoder-only model of %s', (name) => {
  const load = () => loadLanguageModel(join(cases, name, 'checkpoint'), { threads: 1 });

  test('refuses a prompt that is padded on the right or masked entirely', async () => {
    await using model = await load();
    const inputsEmbeds = await model.embed([
      [5, 6, 7],
      [8, 9, 1],
    ]);
    const start = (attentionMask: AttentionMask) => model.start({ inputsEmbeds, attentionMask });
    const whole = [1, 1, 1];
    await expect(start([whole, [1, 1, 0]])).rejects.toEqual(rightPadded);
    await expect(start([[1, 0, 0], whole])).rejects.toEqual(rightPadded);
    await expect(start([[0, 0, 0], whole])).rejects.toEqual(rightPadded);
    await expect(start([[0, 1, 0], whole])).rejects.toEqual(rightPadded);
    await using decoding = await start([whole, whole]);
    const more = { ids: [[5], [6]], attentionMask: [[1], [0]] };
    await expect(decoding.extend(more)).rejects.toEqual(rightPadded);
    // A refused step changes nothing.
    expect(decoding.length).toBe(3);
    expect((await decoding.extend({ ...more, logits: 'all' })).dims).toEqual([2, 1, model.vocabularySize]);
  });

  test('ignores masked positions at the start and in the middle of a prompt', async () => {
    await using model = await load();
    const logits = async (ids: TokenIds, mask: TokenIds): Promise<Float32Array> => {
      await using decoding = await model.start({ inputsEmbeds: await model.embed([ids]), attentionMask: [mask] });
      const { data } = await decoding.extend({ ids: [[9]] });
      return data;
    };
    const plain = await logits([5, 6, 7], [1, 1, 1]);
    for (const [ids, mask] of [
      [
        [1, 1, 5, 6, 7],
        [0, 0, 1, 1, 1],
      ],
      [
        [5, 1, 1, 6, 7],
        [1, 0, 0, 1, 1],
      ],
      [
        [1, 5, 6, 1, 7],
        [0, 1, 1, 0, 1],
      ],
    ] as const) {
      const other = await logits(ids, mask);
      expect(Math.max(...plain.map((value, index) => Math.abs(value - (other[index] ?? NaN))))).toBeLessThan(1e-5);
    }
  });

  test('accepts a mask of zeros and ones in the shape of the prompt only', async () => {
    await using model = await load();
    const inputsEmbeds = await model.embed([[5, 6, 7]]);
    for (const value of [2, 0.5, -1, NaN]) {
      const attentionMask = [[value, 1, 1]];
      const expected = refused('INVALID_ARGUMENT', /^attentionMask must be 0 for padding and 1/);
      await expect(model.start({ inputsEmbeds, attentionMask }), String(value)).rejects.toEqual(expected);
      await expect(model.forward({ inputsEmbeds, attentionMask }), String(value)).rejects.toEqual(expected);
    }
    for (const attentionMask of [
      [[1, 1]],
      [[1, 1, 1, 1]],
      [],
      [
        [1, 1, 1],
        [1, 1, 1],
      ],
    ])
      await expect(model.start({ inputsEmbeds, attentionMask })).rejects.toEqual(
        refused('SHAPE_MISMATCH', /attentionMask must have the shape of the prompt/),
      );
  });

  test('computes a forward pass over rows that are padded on the right, for the loss', async () => {
    await using model = await load();
    const inputIds = [[5, 6, 7, 1]];
    const labels = [[5, 6, 7, -100]];
    const padded = await model.forward({ inputIds, attentionMask: [[1, 1, 1, 0]], labels });
    const plain = await model.forward({ inputIds: [[5, 6, 7]], labels: [[5, 6, 7]] });
    expect(padded.loss?.data[0]).toBeCloseTo(plain.loss?.data[0] ?? NaN, 5);
  });
});

test('a seq2seq model accepts a prompt that is padded on the right', async () => {
  await using model = await loadLanguageModel(join(cases, 't5/checkpoint'), { threads: 1 });
  const inputsEmbeds = await model.embed([[5, 6, 7]]);
  await using decoding = await model.start({ inputsEmbeds, attentionMask: [[1, 1, 0]] });
  await using plain = await model.start({ inputsEmbeds: await model.embed([[5, 6]]), attentionMask: [[1, 1]] });
  const largest = Math.max(
    ...plain.logits.data.map((value, index) => Math.abs(value - (decoding.logits.data[index] ?? NaN))),
  );
  expect(largest).toBeLessThan(1e-5);
});
