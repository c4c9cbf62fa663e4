import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { pseudoRandom } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2 } from './blip2.ts';
import { captionPreset, shortAnswerPreset } from './presets.ts';
import { questionPrompt } from './prompt-templates.ts';
import type { AnswerOptions } from './task-options.ts';

const root = join(import.meta.dirname, '../../../..');
const evaluation = join(root, 'apps/cli/evaluation');

interface Scene {
  readonly image: string;
  readonly questions: readonly { readonly question: string }[];
}
const scenes: readonly Scene[] = readFileSync(join(evaluation, 'scenes.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line));

/** An integer below `count` that depends on the seed only. */
const pick = (count: number, ...seed: number[]): number =>
  Math.min(count - 1, Math.floor(((pseudoRandom(...seed) + 1) / 2) * count));

interface Row {
  readonly image: string;
  readonly text: string;
}
/** One to six rows: random images, some twice, and prompts of very different lengths. */
function randomBatch(seed: number): Row[] {
  return Array.from({ length: 1 + pick(6, seed) }, (_, row) => {
    const scene = scenes[pick(scenes.length, seed, row, pick(2, seed, row) === 0 ? 0 : 7)]!;
    const asked = Array.from({ length: 1 + pick(3, seed, row, 2) }, (__, index) =>
      questionPrompt(scene.questions[pick(scene.questions.length, seed, row, index, 3)]!.question),
    );
    return {
      image: join(evaluation, scene.image),
      text: [questionPrompt('a'), asked.join(' one. '), 'a'][pick(3, seed, row, 4)]!,
    };
  });
}

describe.each(['opt', 't5'])('random batches with %s', (kind) => {
  let blip2: Blip2;
  beforeAll(async () => {
    // Layers this small run faster on one thread.
    blip2 = await Blip2.fromPretrained(join(root, `apps/cli/models/blip2-${kind}-shapes`), { threads: 1 });
  });
  afterAll(() => blip2.dispose());
  const write = async (rows: readonly Row[], options: AnswerOptions): Promise<(readonly number[])[]> =>
    (
      await blip2.answer(
        rows.map(({ image }) => image),
        rows.map(({ text }) => text),
        { rawPrompt: true, maxNewTokens: 12, ...options },
      )
    ).map(({ tokenIds }) => tokenIds);

  test.each<[string, AnswerOptions]>([
    ['greedy', {}],
    ['3 beams', { numBeams: 3 }],
    ['sampling', { doSample: true, seed: 7, temperature: 0.8 }],
  ])('%s: the tokens equal those of single calls', async (name, options) => {
    let rows = 0;
    for (let seed = 0; seed < 12; seed++) {
      const batch = randomBatch(seed);
      // Sampling of a row depends on its index; a single call always uses row 0.
      const alone =
        name === 'sampling'
          ? await write(batch.slice(0, 1), options)
          : (await Promise.all(batch.map((row) => write([row], options)))).flat();
      expect((await write(batch, options)).slice(0, alone.length)).toEqual(alone);
      rows += batch.length;
    }
    expect(rows).toBeGreaterThan(30);
  });

  test('captions of random batches, from encoded images and sources together', async () => {
    for (let seed = 20; seed < 26; seed++) {
      const images = randomBatch(seed).map(({ image }) => image);
      const mixed = await Promise.all(images.map((image, index) => (index % 2 === 0 ? blip2.encode(image) : image)));
      const alone = await Promise.all(images.map(async (image) => (await blip2.caption(image)).tokenIds));
      expect((await blip2.caption(mixed)).map(({ tokenIds }) => tokenIds)).toEqual(alone);
    }
  });

  test('presets equal their options', async () => {
    const [image] = randomBatch(1).map((row) => row.image);
    const caption = await blip2.caption(image!, captionPreset);
    expect(caption.tokenIds.length).toBeGreaterThanOrEqual(8);
    expect(caption.tokenIds.length).toBeLessThanOrEqual(30);
    expect(caption.text).not.toContain('a photo of');
    const answer = await blip2.answer(image!, 'what color is it?', shortAnswerPreset);
    expect(answer.tokenIds.length).toBeLessThanOrEqual(10);
    expect(answer.tokenIds).toEqual(
      (
        await blip2.answer(image!, 'Question: what color is it? Short answer:', {
          rawPrompt: true,
          numBeams: 5,
          minNewTokens: 1,
          maxNewTokens: 10,
          lengthPenalty: -1,
        })
      ).tokenIds,
    );
  });
});
