import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { evaluation, parseLines, readLines } from '../fixtures/evaluation-lines.ts';
import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';

/** The setting with which the expected ids were recorded. */
const MAX_NEW_TOKENS = ['--max-new-tokens', '32'];
const IMAGES_PER_RUN = 10;

interface Scene {
  readonly image: string;
  readonly questions: readonly { readonly question: string }[];
}
interface Expected {
  readonly opt: {
    readonly caption: { readonly ids: readonly number[]; readonly text: string };
    readonly questions: readonly { readonly ids: readonly number[]; readonly text: string }[];
  };
}
interface Line {
  readonly image: string;
  readonly question?: string;
  readonly text: string;
  readonly tokenIds: readonly number[];
}

async function blip2(...argv: string[]): Promise<Line[]> {
  const { exitCode, stdout, stderr } = await spawnBlip2([
    ...argv,
    '--json',
    '--quiet',
    '--batch-size',
    '50',
    ...MAX_NEW_TOKENS,
  ]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return parseLines<Line>(stdout);
}

/**
 * Asks every question about every image of a batch and picks the recorded ones. One thread is faster for tiny layers.
 */
async function answers(folder: string, scenes: readonly Scene[]): Promise<(readonly number[] | undefined)[][]> {
  const questions = [...new Set(scenes.flatMap((scene) => scene.questions.map(({ question }) => question)))];
  const results = await blip2(
    'ask',
    '--threads',
    '1',
    ...scenes.map(({ image }) => join(folder, image)),
    ...questions.flatMap((question) => ['-q', question]),
  );
  expect(results).toHaveLength(scenes.length * questions.length);
  const ids = new Map(results.map(({ image, question, tokenIds }) => [`${image}\n${question}`, tokenIds]));
  return scenes.map((scene) =>
    scene.questions.map(({ question }) => ids.get(`${join(folder, scene.image)}\n${question}`)),
  );
}

describe('the demo checkpoint generates the tokens of Hugging Face Transformers', () => {
  const scenes = readLines<Scene>('scenes.jsonl');
  const expected = readLines<Expected>('expected.jsonl');

  test('in the captions of 200 scenes', async () => {
    const results = await blip2('caption', `@${join(evaluation, 'scenes.jsonl')}`);
    expect(results.map(({ image, tokenIds, text }) => ({ image, tokenIds, text }))).toEqual(
      expected.map(({ opt }, index) => ({
        image: join(evaluation, scenes[index]?.image ?? ''),
        tokenIds: opt.caption.ids,
        text: opt.caption.text,
      })),
    );
    expect(results).toHaveLength(200);
  });

  test('in the answers to 800 questions', async () => {
    const all: (readonly number[] | undefined)[][] = [];
    for (let first = 0; first < scenes.length; first += IMAGES_PER_RUN)
      all.push(...(await answers(evaluation, scenes.slice(first, first + IMAGES_PER_RUN))));
    expect(all).toEqual(expected.map(({ opt }) => opt.questions.map(({ ids }) => ids)));
    expect(all.flat()).toHaveLength(800);
  }, 300_000);

  test('for the example images, including JPEG files and large ones', async () => {
    const examples = readLines<Scene>('examples.jsonl');
    const recorded = readLines<Expected>('examples-expected.jsonl');
    const folder = join(repository, 'examples');
    const captions = await blip2('caption', ...examples.map(({ image }) => join(folder, image)));
    expect(captions.map(({ tokenIds }) => tokenIds)).toEqual(recorded.map(({ opt }) => opt.caption.ids));
    expect(await answers(folder, examples)).toEqual(recorded.map(({ opt }) => opt.questions.map(({ ids }) => ids)));
  });
});
