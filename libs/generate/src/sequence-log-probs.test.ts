import { fakeLanguageModel } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { generate } from './generate.ts';
import { sequenceLogProbs } from './sequence-log-probs.ts';

const candidates = [[4, 5, 6], [7], [], [4, 9, 2, 3, 8], [4, 5, 6]];

describe.each(['causal', 'seq2seq'] as const)('sequenceLogProbs of a %s model', (architecture) => {
  const model = fakeLanguageModel({ architecture, vocabularySize: 12 });
  const read = async (ids: number[][]) => ({
    inputsEmbeds: await model.embed(ids),
    attentionMask: ids.map((row) => row.map(() => 1)),
    ...(architecture === 'causal' && { promptIds: ids }),
  });

  test('equals the log-probabilities of a generation that is forced to the candidate', async () => {
    const [scored] = await sequenceLogProbs(model, await read([[3, 8]]), candidates);
    for (const [index, candidate] of candidates.entries()) {
      if (candidate.length === 0) continue;
      const force = (ids: readonly number[], scores: Float32Array): void => {
        const next = candidate[ids.length - (architecture === 'causal' ? 2 : 1)]!;
        scores.forEach((_, id) => {
          if (id !== next) scores[id] = -Infinity;
        });
      };
      const { tokenLogProbs, sequences } = await generate(model, await read([[3, 8]]), {
        logitsProcessors: [force],
        maxNewTokens: candidate.length,
        eosTokenId: 11,
      });
      expect(sequences[0]).toEqual(candidate);
      expect(scored![index]!.tokenLogProbs).toEqual(tokenLogProbs[0]);
      expect(scored![index]!.sum).toBeCloseTo(
        tokenLogProbs[0]!.reduce((sum, value) => sum + value, 0),
        10,
      );
    }
  });

  test('an empty candidate has log-probability 0', async () => {
    expect((await sequenceLogProbs(model, await read([[3, 8]]), candidates))[0]![2]).toEqual({
      tokenLogProbs: [],
      sum: 0,
    });
  });

  test('a batch of prompts gives the results of its single prompts', async () => {
    const together = await sequenceLogProbs(
      model,
      await read([
        [3, 8],
        [5, 5],
      ]),
      candidates,
    );
    expect(together).toEqual([
      ...(await sequenceLogProbs(model, await read([[3, 8]]), candidates)),
      ...(await sequenceLogProbs(model, await read([[5, 5]]), candidates)),
    ]);
  });

  test('a given decoding is not advanced', async () => {
    const { inputsEmbeds, attentionMask } = await read([[3, 8]]);
    const decoding = await model.start({ inputsEmbeds, attentionMask });
    const { length } = decoding;
    const first = await sequenceLogProbs(model, { decoding }, candidates);
    expect(decoding.length).toBe(length);
    expect(await sequenceLogProbs(model, { decoding }, candidates)).toEqual(first);
  });
});

describe('sequenceLogProbs', () => {
  const model = fakeLanguageModel({ vocabularySize: 12 });
  test('rejects ids that are not in the vocabulary', async () => {
    const prompt = { inputsEmbeds: await model.embed([[3]]), attentionMask: [[1]] };
    await expect(sequenceLogProbs(model, prompt, [[12]])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(sequenceLogProbs(model, prompt, [[-1]])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('decodes many candidates in batches of bounded size', async () => {
    const wide = fakeLanguageModel({ vocabularySize: 2 ** 20, score: () => new Float32Array(2 ** 20) });
    const rows: number[] = [];
    const watched = {
      ...wide,
      async start(given: Parameters<typeof wide.start>[0]) {
        const decoding = await wide.start(given);
        return {
          ...decoding,
          length: decoding.length,
          logits: decoding.logits,
          async fork() {
            const branch = await decoding.fork();
            return {
              ...branch,
              length: branch.length,
              logits: branch.logits,
              extend: (more: Parameters<typeof branch.extend>[0]) => {
                rows.push(more.parents!.length);
                return branch.extend(more);
              },
            };
          },
        };
      },
    };
    const many = Array.from({ length: 5 }, () => [1, 2, 3, 4, 5]);
    const [scored] = await sequenceLogProbs(
      watched,
      { inputsEmbeds: await wide.embed([[3]]), attentionMask: [[1]] },
      many,
    );
    expect(rows).toEqual([4, 1]);
    expect(scored!.map(({ sum }) => sum)).toEqual(many.map(() => expect.closeTo(-5 * Math.log(2 ** 20), 6)));
  });

  test('rejects with the reason of an aborted signal', async () => {
    const prompt = { inputsEmbeds: await model.embed([[3]]), attentionMask: [[1]] };
    await expect(sequenceLogProbs(model, prompt, [[1]], { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

test.each([
  ['NaN', [0, NaN, 1, 0.5]],
  ['an infinite logit', [0, Infinity, 1, 0.5]],
  ['a token of -Infinity', [0, 1, -Infinity, 0.5]],
])('candidates are not scored with invalid logits: %s', async (_, scores) => {
  const model = fakeLanguageModel({ vocabularySize: 4, specialTokens: {}, score: () => scores });
  const prompt = { inputsEmbeds: await model.embed([[1]]), attentionMask: [[1]] };
  await expect(sequenceLogProbs(model, prompt, [[2]])).rejects.toMatchObject({
    code: 'NOT_FINITE',
    details: { subject: 'language model' },
  });
});
