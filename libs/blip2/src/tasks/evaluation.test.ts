import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2 } from './blip2.ts';
import type { TaskOptions } from './task-options.ts';
import type { TextResult } from './text-result.ts';

const evaluation = join(import.meta.dirname, '../../../../apps/cli/evaluation');
const read = <T>(name: string): T[] =>
  readFileSync(join(evaluation, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

interface Scene {
  readonly image: string;
  readonly caption: string;
  readonly questions: readonly { readonly question: string; readonly answer: string }[];
}
interface Recorded {
  readonly caption: { readonly ids: readonly number[] };
  readonly questions: readonly { readonly ids: readonly number[] }[];
}
const scenes = read<Scene>('scenes.jsonl');
const expected = read<{ readonly opt: Recorded; readonly t5: Recorded }>('expected.jsonl');
const SCENES_AT_A_TIME = 10;
/** The options that the expected tokens were recorded with. */
const length = { maxNewTokens: 32 };

/**
 * Numbers of correct captions (of 200) and answers (of 800), as in the README files of the checkpoints; counted by
 * tools/benchmarks/bin/accuracy.js.
 */
const accuracies = { opt: { captions: 195, answers: 798 }, t5: { captions: 190, answers: 788 } } as const;

describe.each(['opt', 't5'] as const)(
  '200 scenes that the demo checkpoint with %s was not trained on',
  { timeout: 120_000 },
  (kind) => {
    let blip2: Blip2;
    beforeAll(async () => {
      blip2 = await Blip2.fromPretrained(join(evaluation, `../models/blip2-${kind}-shapes`), { threads: 1 });
    });
    afterAll(() => blip2.dispose());

    /** Encodes every image once for its caption and its questions, in batches of ten images and forty questions. */
    async function describeScenes(
      some: readonly Scene[],
      options: TaskOptions,
    ): Promise<{ captions: TextResult[]; answers: TextResult[] }> {
      const results = { captions: [] as TextResult[], answers: [] as TextResult[] };
      for (let first = 0; first < some.length; first += SCENES_AT_A_TIME) {
        const batch = some.slice(first, first + SCENES_AT_A_TIME);
        const images = await blip2.encode(batch.map(({ image }) => join(evaluation, image)));
        results.captions.push(...(await blip2.caption(images, options)));
        const pairs = batch.flatMap(({ questions }, index) =>
          questions.map(({ question }) => ({ question, image: images[index]! })),
        );
        results.answers.push(
          ...(await blip2.answer(
            pairs.map(({ image }) => image),
            pairs.map(({ question }) => question),
            options,
          )),
        );
        for (const image of images) await image[Symbol.asyncDispose]();
      }
      return results;
    }
    const correct = (results: readonly TextResult[], truth: readonly string[]): number =>
      results.filter(({ text }, index) => text === truth[index]).length;
    const answersOf = (some: readonly Scene[]): string[] =>
      some.flatMap(({ questions }) => questions.map(({ answer }) => answer));

    test('get the tokens of Hugging Face Transformers, and the same accuracy', async () => {
      const { captions, answers } = await describeScenes(scenes, length);
      expect(captions.map(({ tokenIds }) => tokenIds)).toEqual(expected.map((line) => line[kind].caption.ids));
      expect(answers.map(({ tokenIds }) => tokenIds)).toEqual(
        expected.flatMap((line) => line[kind].questions.map(({ ids }) => ids)),
      );
      expect({
        captions: correct(
          captions,
          scenes.map(({ caption }) => caption),
        ),
        answers: correct(answers, answersOf(scenes)),
      }).toEqual(accuracies[kind]);
      expect(answers).toHaveLength(800);
    });

    test('get no worse accuracy with beams', async () => {
      const some = scenes.slice(0, 50);
      const [greedy, beams] = [
        await describeScenes(some, length),
        await describeScenes(some, { ...length, numBeams: 5 }),
      ];
      expect(
        correct(
          beams.captions,
          some.map(({ caption }) => caption),
        ),
      ).toBeGreaterThanOrEqual(
        correct(
          greedy.captions,
          some.map(({ caption }) => caption),
        ) - 1,
      );
      expect(correct(beams.answers, answersOf(some))).toBeGreaterThanOrEqual(
        correct(greedy.answers, answersOf(some)) - 1,
      );
      expect(correct(beams.answers, answersOf(some))).toBeGreaterThan(190);
    });
  },
);
