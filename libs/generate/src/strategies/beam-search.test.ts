import type { GenerationOptions, LanguageModel, TokenIds } from '@blip2/interfaces';
import { fakeLanguageModel, pseudoRandom } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { generate, generateSteps } from '../generate.ts';
import type { GenerationPrompt } from '../generation-prompt.ts';

const promptOf = async (model: LanguageModel, rows: readonly TokenIds[]): Promise<GenerationPrompt> => {
  const width = Math.max(...rows.map((row) => row.length));
  const isCausal = model.architecture === 'causal';
  const fill = (row: TokenIds, filler: number): number[] => new Array<number>(width - row.length).fill(filler);
  const ids = rows.map((row) => (isCausal ? [...fill(row, 1), ...row] : [...row, ...fill(row, 1)]));
  const attentionMask = rows.map((row) =>
    isCausal ? [...fill(row, 0), ...row.map(() => 1)] : [...row.map(() => 1), ...fill(row, 0)],
  );
  return { inputsEmbeds: await model.embed(ids), attentionMask, ...(isCausal && { promptIds: ids }) };
};

/** Finds the best of all sequences up to a length by exhaustive search. */
function bruteForce(
  score: (ids: readonly number[]) => readonly number[],
  end: number,
  length: number,
  penalty: number,
): { ids: number[]; score: number } {
  const ended: { ids: number[]; score: number }[] = [];
  const visit = (ids: number[], sum: number): void => {
    const scores = score(ids);
    const total = Math.log(scores.reduce((all, value) => all + Math.exp(value), 0));
    for (const [id, value] of scores.entries()) {
      const next = [...ids, id];
      const nextSum = sum + value - total;
      if (id === end || next.length === length) ended.push({ ids: next, score: nextSum / next.length ** penalty });
      else visit(next, nextSum);
    }
  };
  visit([], 0);
  return ended.reduce((best, other) => (other.score > best.score ? other : best));
}

describe('a beam search that prunes nothing', () => {
  test.each([-1, 0, 0.7, 1, 3].flatMap((penalty) => [1, 2, 3, 4].map((seed) => [penalty, seed] as const)))(
    'finds the best of all sequences: length penalty %d, model %i',
    async (lengthPenalty, seed) => {
      const score = (ids: readonly number[]): number[] =>
        [0, 1, 2, 3].map((id) => Math.fround(2 * pseudoRandom(seed, ...ids, 99, id)));
      const model = fakeLanguageModel({
        vocabularySize: 4,
        embeddingSize: 1,
        specialTokens: { eosTokenId: 2, padTokenId: 1 },
        score: (history) => score(history.slice(1).map(([id]) => id!)),
      });
      const { sequences, sequencesScores } = await generate(model, await promptOf(model, [[0]]), {
        numBeams: 64,
        maxNewTokens: 4,
        lengthPenalty,
        earlyStopping: 'never',
      });
      const best = bruteForce(score, 2, 4, lengthPenalty);
      expect(sequences).toEqual([best.ids]);
      expect(sequencesScores![0]).toBeCloseTo(best.score, 5);
    },
  );
});

describe('a batch gives the results of its single rows', () => {
  const searches: GenerationOptions[] = [
    {},
    { numBeams: 3 },
    { numBeams: 4, earlyStopping: true, lengthPenalty: -1, numReturnSequences: 2 },
    { numBeams: 2, earlyStopping: 'never', lengthPenalty: 2 },
    { minNewTokens: 5, numBeams: 2 },
  ];
  test.each(
    searches.flatMap((options) =>
      (['causal', 'seq2seq'] as const).map((architecture) => [architecture, JSON.stringify(options), options] as const),
    ),
  )('%s %s', async (architecture, _, options) => {
    for (let seed = 0; seed < 12; seed++) {
      const random = (...seeds: number[]): number => (pseudoRandom(seed, ...seeds) + 1) / 2;
      const rows = Array.from({ length: 1 + Math.floor(random(1) * 4) }, (__, row) =>
        Array.from(
          { length: 1 + Math.floor(random(row, 2) * 5) },
          (___, position) => 3 + Math.floor(random(row, position, 3) * 9),
        ),
      );
      const model = fakeLanguageModel({
        architecture,
        vocabularySize: 12,
        specialTokens: { eosTokenId: 2, padTokenId: 1, bosTokenId: 0 },
      });
      const together = await generate(model, await promptOf(model, rows), { maxNewTokens: 9, ...options });
      const count = options.numReturnSequences ?? 1;
      for (const [index, row] of rows.entries()) {
        const alone = await generate(model, await promptOf(model, [row]), { maxNewTokens: 9, ...options });
        for (const copy of Array.from({ length: count }).keys()) {
          const length = together.tokenLogProbs[index * count + copy]!.length;
          expect(together.sequences[index * count + copy]!.slice(0, length)).toEqual(
            alone.sequences[copy]!.slice(0, length),
          );
          expect(alone.tokenLogProbs[copy]!.length).toBe(length);
        }
      }
    }
  });
});

describe('beam sampling', () => {
  const model = fakeLanguageModel({
    vocabularySize: 5,
    specialTokens: { padTokenId: 1, eosTokenId: 2 },
    score: () => [0.35, 0.25, 0.05, 0.2, 0.15].map(Math.log),
  });

  test('the first step samples without replacement', async () => {
    const counts = [0, 0, 0, 0, 0];
    const prompt = await promptOf(model, [[0]]);
    const draws = 3000;
    for (let seed = 0; seed < draws; seed++) {
      // With one new token both beams end immediately: two rows are sampled without replacement, best first.
      const { sequences } = await generate(model, prompt, {
        numBeams: 2,
        numReturnSequences: 2,
        doSample: true,
        seed,
        maxNewTokens: 1,
      });
      const [first, second] = sequences.map(([id]) => id!);
      expect(first).not.toBe(second);
      counts[first!]! += 1;
      counts[second!]! += 1;
    }
    const p = [0.35, 0.25, 0.05, 0.2, 0.15];
    const inclusion = p.map(
      (own, id) =>
        own + p.reduce((sum, other, otherId) => (otherId === id ? sum : sum + (other * own) / (1 - other)), 0),
    );
    for (const [id, expected] of inclusion.entries())
      expect(Math.abs(counts[id]! / draws - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / draws));
  });

  test('equal seeds give equal rows', async () => {
    const prompt = await promptOf(model, [[0], [3]]);
    const run = (seed: number) =>
      generate(model, prompt, { numBeams: 3, numReturnSequences: 3, doSample: true, seed, maxNewTokens: 6 });
    expect(await run(4)).toEqual(await run(4));
    expect((await run(4)).sequences).not.toEqual((await run(5)).sequences);
  });
});

describe('an aborted beam search', () => {
  test('returns its best rows so far', async () => {
    const model = fakeLanguageModel({ vocabularySize: 8, specialTokens: { padTokenId: 1 } });
    const controller = new AbortController();
    const generation = generateSteps(model, await promptOf(model, [[4]]), {
      numBeams: 3,
      maxNewTokens: 8,
      signal: controller.signal,
    });
    await expect(
      (async () => {
        for await (const { step } of generation) if (step === 2) controller.abort();
      })(),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(generation.output().finishReasons).toEqual(['aborted']);
    expect(generation.output().sequences[0]!.length).toBe(3);
  });
});
