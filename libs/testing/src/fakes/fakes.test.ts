import { describe, expect, test } from 'vitest';

import { fakeLanguageModel } from './fake-language-model.ts';
import { recite } from './recite.ts';
import { type WatchedRead, watchLanguageModel } from './watch-language-model.ts';

describe('recite', () => {
  test('assigns the largest logit to the next id of each row, whatever the input', async () => {
    const decoding = recite(
      [
        [5, 6],
        [7, 8],
      ],
      10,
    );
    expect(decoding.logits.dims).toEqual([2, 1, 10]);
    expect([...decoding.logits.data].flatMap((value, index) => (value === 1 ? [index] : []))).toEqual([5, 17]);
    const next = await decoding.extend({ ids: [[0]], parents: [1] });
    expect([...next.data]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    expect(decoding.length).toBe(1);
  });
});

describe('fakeLanguageModel', () => {
  test('computes logits from the history without padding', async () => {
    const seen: number[][] = [];
    const model = fakeLanguageModel({
      vocabularySize: 3,
      score: (history) => {
        seen.push(history.map(([id]) => id!));
        return [0, 1, 0];
      },
    });
    const decoding = await model.start({ inputsEmbeds: await model.embed([[1, 7, 8]]), attentionMask: [[0, 1, 1]] });
    expect([...decoding.logits.data]).toEqual([0, 1, 0]);
    await decoding.extend({ ids: [[9]] });
    expect(seen).toEqual([
      [7, 8],
      [7, 8, 9],
    ]);
  });

  test('extensions with the wrong number of rows or invalid parents are rejected', async () => {
    const model = fakeLanguageModel();
    const decoding = await model.start({ inputsEmbeds: await model.embed([[7]]), attentionMask: [[1]] });
    for (const more of [{ ids: [[1], [2]] }, { ids: [[1]], parents: [1] }, { ids: [[]] }])
      await expect(decoding.extend(more)).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  });
});

describe('watchLanguageModel', () => {
  test('reports all forward passes, those of forks included, without changing results', async () => {
    const reads: WatchedRead[] = [];
    const [model, watched] = [fakeLanguageModel(), watchLanguageModel(fakeLanguageModel(), (read) => reads.push(read))];
    const prompt = {
      inputsEmbeds: await model.embed([
        [7, 8],
        [5, 6],
      ]),
      attentionMask: [
        [1, 1],
        [1, 1],
      ],
    };
    const [expected, decoding] = [await model.start(prompt), await watched.start(prompt)];
    expect(await (await decoding.fork()).extend({ ids: [[9, 9, 9]], parents: [1] })).toEqual(
      await (await expected.fork()).extend({ ids: [[9, 9, 9]], parents: [1] }),
    );
    expect(await decoding.extend({ ids: [[5], [6]] })).toEqual(await expected.extend({ ids: [[5], [6]] }));
    expect(reads).toEqual([
      { rows: 2, positions: 2 },
      { rows: 1, positions: 3 },
      { rows: 2, positions: 1 },
    ]);
  });
});
