import type { Blip2 } from '@blip2/blip2';

import { type DemoKind, type Expected, imagePath, RECORDED_LENGTH, type Scene } from './evaluation.ts';

/** Number of correct texts, and of texts whose tokens equal those of Transformers. */
export interface TextCounts {
  captions: number;
  captionsRight: number;
  captionsSame: number;
  answers: number;
  answersRight: number;
  answersSame: number;
}

/** Captions scenes and answers their questions in batches, and counts what is correct. */
export async function countCorrectTexts(
  blip2: Blip2,
  kind: DemoKind,
  scenes: readonly Scene[],
  expected: readonly Expected[],
  { batch, numBeams = 1 }: { readonly batch: number; readonly numBeams?: number },
): Promise<TextCounts> {
  const counts = { captions: 0, captionsRight: 0, captionsSame: 0, answers: 0, answersRight: 0, answersSame: 0 };
  const options = { ...RECORDED_LENGTH, numBeams };
  for (let first = 0; first < scenes.length; first += batch) {
    const some = scenes.slice(first, first + batch);
    const images = await blip2.encode(some.map(imagePath));
    const captions = await blip2.caption(images, options);
    const asked = some.flatMap((scene, index) =>
      scene.questions.map((question, at) => ({
        ...question,
        image: images[index]!,
        ids: expected[first + index]?.[kind].questions[at]?.ids,
      })),
    );
    const answers = await blip2.answer(
      asked.map(({ image }) => image),
      asked.map(({ question }) => question),
      options,
    );
    counts.captions += captions.length;
    counts.captionsRight += count(captions, ({ text }, i) => text === some[i]?.caption);
    counts.captionsSame += count(captions, ({ tokenIds }, i) =>
      same(tokenIds, expected[first + i]?.[kind].caption.ids),
    );
    counts.answers += answers.length;
    counts.answersRight += count(answers, ({ text }, i) => text === asked[i]?.answer);
    counts.answersSame += count(answers, ({ tokenIds }, i) => same(tokenIds, asked[i]?.ids));
    for (const image of images) await image[Symbol.asyncDispose]();
  }
  return counts;
}

function count<T>(values: readonly T[], isCounted: (value: T, index: number) => boolean): number {
  return values.filter(isCounted).length;
}

function same(ids: readonly number[], expected: readonly number[] | undefined): boolean {
  return String(ids) === String(expected);
}
