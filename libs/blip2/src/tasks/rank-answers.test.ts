import { join } from 'node:path';

import type { VisionEncoder } from '@blip2/interfaces';
import { type WatchedRead, watchLanguageModel } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2, createBlip2 } from './blip2.ts';
import { questionPrompt } from './prompt-templates.ts';

const root = join(import.meta.dirname, '../../../..');
const image = join(root, 'examples/left-of.png');
const question = 'what color is the triangle?';
const candidates = ['blue', 'red', 'a red triangle to the left of a white square', 'green'];

describe.each(['opt', 't5'])('ranking with %s', (kind) => {
  let blip2: Blip2;
  const reads: WatchedRead[] = [];
  let encoded = 0;
  beforeAll(async () => {
    const {
      pipeline: { vision, qformer, projection, language },
      processor,
    } = await Blip2.fromPretrained(join(root, `apps/cli/models/blip2-${kind}-shapes`));
    const counting: VisionEncoder = {
      imageSize: vision.imageSize,
      hiddenSize: vision.hiddenSize,
      encode: (pixelValues, options) => (encoded++, vision.encode(pixelValues, options)),
      [Symbol.asyncDispose]: () => vision[Symbol.asyncDispose](),
    };
    blip2 = createBlip2({
      vision: counting,
      qformer,
      projection,
      language: watchLanguageModel(language, (read) => reads.push(read)),
      processor,
    });
  });
  afterAll(() => blip2.dispose());

  test('without a question, the candidates are captions', async () => {
    const caption = await blip2.caption(image);
    const [best, other] = await blip2.rank(image, null, ['a circle', caption.text]);
    expect(best).toMatchObject({ text: caption.text, tokenIds: caption.tokenIds });
    expect(best?.logProb).toBeCloseTo(caption.score, 4);
    expect(other?.logProb).toBeLessThan(best?.logProb ?? NaN);
  });

  test('ranks the answer of the model first, with probabilities that sum to 1', async () => {
    const ranked = await blip2.rank(image, question, candidates);
    const answer = await blip2.answer(image, question);
    expect(ranked[0]).toMatchObject({ text: answer.text, tokenIds: answer.tokenIds });
    expect(ranked[0]?.logProb).toBeCloseTo(answer.score, 4);
    expect(ranked.map(({ text }) => text).toSorted()).toEqual(candidates.toSorted());
    expect(ranked.map(({ logProb }) => logProb)).toEqual(
      ranked.map(({ logProb }) => logProb).toSorted((a, b) => b - a),
    );
    expect(ranked.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 10);
    for (const { logProb, logProbPerToken, tokenIds, probability } of ranked) {
      expect(logProbPerToken).toBeCloseTo(logProb / tokenIds.length, 10);
      expect(Math.log(probability)).toBeCloseTo(
        logProb - Math.log(ranked.reduce((sum, other) => sum + Math.exp(other.logProb), 0)),
        6,
      );
    }
  });

  test('scores like scoreSequences of the pipeline', async () => {
    const ranked = await blip2.rank(image, question, candidates);
    const { pixelValues, ...prompt } = await blip2.processor.process({
      images: [image],
      text: questionPrompt(question),
    });
    const [scored] = await blip2.pipeline.scoreSequences(
      { pixelValues, ...prompt },
      ranked.map(({ tokenIds }) => tokenIds),
    );
    scored?.forEach(({ sum }, index) => expect(sum).toBeCloseTo(ranked[index]?.logProb ?? NaN, 4));
    expect(scored).toHaveLength(candidates.length);
  });

  test('prefills image and prompt once and all candidates in one run', async () => {
    reads.length = encoded = 0;
    await blip2.rank(image, question, candidates);
    expect([encoded, reads.map(({ rows }) => rows)]).toEqual([1, [1, candidates.length]]);
    await using encodedImage = await blip2.encode(image);
    await blip2.rank(encodedImage, question, candidates);
    reads.length = encoded = 0;
    await blip2.rank(encodedImage, 'what is it?', ['a square', 'a circle']);
    expect(encoded).toBe(0);
    expect(reads.map(({ rows }) => rows)).toEqual([1, 2]);
  });

  test('ranks by the log-probability per token on request', async () => {
    const ranked = await blip2.rank(image, question, candidates, { rankBy: 'logProbPerToken' });
    expect(ranked.map(({ logProbPerToken }) => logProbPerToken)).toEqual(
      ranked.map(({ logProbPerToken }) => logProbPerToken).toSorted((a, b) => b - a),
    );
    expect(Math.log(ranked[0]!.probability / ranked[1]!.probability)).toBeCloseTo(
      ranked[0]!.logProbPerToken - ranked[1]!.logProbPerToken,
      6,
    );
  });

  test('scores the end token unless endToken is false', async () => {
    const end = blip2.pipeline.language.specialTokens.eosTokenId;
    const [withEnd, without] = [
      await blip2.rank(image, question, ['red']),
      await blip2.rank(image, question, ['red'], { endToken: false }),
    ];
    expect(withEnd[0]?.tokenIds).toEqual([...(without[0]?.tokenIds ?? []), end]);
    expect(without[0]!.logProb).toBeGreaterThan(withEnd[0]!.logProb);
    expect(withEnd[0]?.probability).toBe(1);
  });

  test('uses the given template', async () => {
    const templated = await blip2.rank(image, question, candidates);
    expect(await blip2.rank(image, questionPrompt(question), candidates, { rawPrompt: true })).toEqual(templated);
    expect((await blip2.rank(image, question, candidates, { template: (text) => `${text} ` }))[0]?.logProb).not.toBe(
      templated[0]?.logProb,
    );
  });

  test('trims candidates and counts equal ones once', async () => {
    const texts = ['circle', 'triangle'];
    const expected = await blip2.rank(image, question, texts);
    expect(await blip2.rank(image, question, ['circle\r', 'triangle', ' circle ', 'triangle\r\n'])).toEqual(expected);
  });

  test('refuses candidates with the same tokens, and lists that are none', async () => {
    // Both are one unknown token to T5; OPT has tokens for all bytes.
    const unknown = blip2.rank(image, question, ['\u{1F9CA}', '\u{1F9CB}']);
    if (kind === 't5')
      await expect(unknown).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        details: { argument: 'candidates', fix: 'Remove one of the two' },
      });
    else expect(await unknown).toHaveLength(2);
    await expect(blip2.rank(image, question, 'red' as never)).rejects.toMatchObject({
      message: 'candidates must be a list of texts, got "red"',
    });
    await expect(blip2.rank(image, question, ['red', 7 as never])).rejects.toMatchObject({
      message: 'candidates[1] must be a non-empty text, got 7',
    });
    await expect(blip2.rank(image, 7 as never, ['red'])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('refuses empty lists, candidates and questions, and aborts', async () => {
    await expect(blip2.rank(image, question, [])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(blip2.rank(image, question, ['red', ' '])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/candidates\[1\]/),
    });
    await expect(blip2.rank(image, ' ', candidates)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(blip2.rank(image, question, candidates, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});
