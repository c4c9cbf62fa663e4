import { fakeLanguageModel, recite } from '@blip2/testing';
import { describe, expect, test } from 'vitest';
import { generate, generateSteps } from '../generate.ts';

const model = fakeLanguageModel({ vocabularySize: 10, specialTokens: { eosTokenId: 2, padTokenId: 1 } });
const reciting = (...script: number[][]) => ({ decoding: recite(script, 10), promptIds: script.map(() => [9]), promptLength: 1 });

describe('greedy search', () => {
  test('takes the best token of every row and fills ended rows with the pad id', async () => {
    const { sequences, finishReasons } = await generate(model, reciting([5, 6, 2], [7, 2]), { maxNewTokens: 8 });
    expect(sequences).toEqual([[5, 6, 2], [7, 2, 1]]);
    expect(finishReasons).toEqual(['eos', 'eos']);
  });

  test('reports each token of each row as it is chosen', async () => {
    const steps = [];
    for await (const { step, tokens } of generateSteps(model, reciting([5, 6, 2], [7, 2]), { maxNewTokens: 8 })) {
      steps.push([step, tokens.map(({ row, id, finishReason }) => [row, id, finishReason])]);
    }
    expect(steps).toEqual([
      [0, [[0, 5, undefined], [1, 7, undefined]]],
      [1, [[0, 6, undefined], [1, 2, 'eos']]],
      [2, [[0, 2, 'eos']]],
    ]);
  });
});
