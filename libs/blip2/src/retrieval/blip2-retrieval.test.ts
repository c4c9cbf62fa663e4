import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { contrastScore, matchScore } from '../explain/image-scores.ts';
import { Blip2Retrieval, createBlip2Retrieval } from './blip2-retrieval.ts';
import { labelSentences } from './classify-images.ts';

const root = join(import.meta.dirname, '../../../..');
const example = (name: string): string => join(root, 'examples', name);
const failure = (code: string): unknown => expect.objectContaining({ name: 'Blip2Error', code });

let retrieval: Awaited<ReturnType<typeof Blip2Retrieval.fromPretrained>>;
beforeAll(async () => {
  retrieval = await Blip2Retrieval.fromPretrained(join(root, 'apps/cli/models/blip2-itm-shapes'), { threads: 1 });
});
afterAll(() => retrieval.dispose());

const images = [example('one-large-star.png'), example('three-of-a-kind.png')];
const texts = ['a large yellow star', 'a small red circle above a large blue square', 'three green triangles'];

describe('match', () => {
  test('returns one score for a pair and images times texts for lists, with equal values', async () => {
    const all = await retrieval.match(images, texts);
    expect(all.map((row) => row.length)).toEqual([3, 3]);
    for (const { itm, itc } of all.flat()) {
      expect(itm).toBeGreaterThanOrEqual(0);
      expect(itm).toBeLessThanOrEqual(1);
      expect(Math.abs(itc)).toBeLessThanOrEqual(1);
    }
    const pair = await retrieval.match(images[0]!, texts[1]!);
    expect(pair.itm).toBeCloseTo(all[0]![1]!.itm, 5);
    expect(pair.itc).toBeCloseTo(all[0]![1]!.itc, 5);
    expect(await retrieval.match([], texts)).toEqual([]);
    expect(await retrieval.match(images, [])).toEqual([[], []]);
  });

  test('encodes every image and every text once', async () => {
    const calls = { vision: 0, images: 0, texts: 0 };
    const counted = createBlip2Retrieval(
      {
        ...retrieval.model,
        processor: retrieval.processor,
        visionModel: {
          ...retrieval.model.visionModel,
          encode: (pixelValues, options) => {
            calls.vision++;
            calls.images += pixelValues.dims[0];
            return retrieval.model.visionModel.encode(pixelValues, options);
          },
        },
        qformer: {
          ...retrieval.model.qformer,
          read: (inputs, options) => {
            calls.texts += inputs.encoderHiddenStates
              ? 0
              : [...('type' in inputs.inputIds ? [] : inputs.inputIds)].length;
            return retrieval.model.qformer.read(inputs, options);
          },
        },
      },
      async () => {},
    );
    await counted.match([images[0]!, images[1]!, images[0]!], texts);
    expect(calls).toEqual({ vision: 1, images: 2, texts: 3 });
  });

  test('aborts', async () => {
    await expect(retrieval.match(images, texts, { signal: AbortSignal.abort() })).rejects.toThrow(
      expect.objectContaining({ name: 'AbortError' }) as Error,
    );
  });
});

describe('a text beyond the positions of the Q-Former', () => {
  // 64 positions. The texts differ only after them.
  const long = `${'and a wall '.repeat(30)}star`;
  const tooLong = expect.objectContaining({
    code: 'SEQUENCE_TOO_LONG',
    message:
      'The text has more tokens than the Q-Former has positions ' +
      '("and a wall and a wall and a wall and a w…"): expected at most 64 tokens, got 153. Shorten the text',
  }) as unknown;

  test('is refused by every task', async () => {
    await expect(retrieval.match(images[0]!, long)).rejects.toEqual(tooLong);
    await expect(retrieval.match(images, [texts[0]!, long])).rejects.toEqual(tooLong);
    await expect(retrieval.retrieve(images, [long])).rejects.toEqual(tooLong);
    await expect(retrieval.classify(images, ['star'], { template: `${long} {}` })).rejects.toEqual(
      failure('SEQUENCE_TOO_LONG'),
    );
    for (const part of ['text', 'text-proj'] as const)
      await expect(retrieval.embed({ text: [long] }, { part })).rejects.toEqual(tooLong);
    await expect(retrieval.embed({ images: [images[0]!], text: [long] })).rejects.toEqual(tooLong);
    const parts = { ...retrieval.model, processor: retrieval.processor };
    for (const score of [matchScore, contrastScore]) expect(() => score(parts, long)).toThrow(tooLong as Error);
  });

  test('is accepted up to the last position', async () => {
    const fitting = 'star '.repeat(62);
    expect(await retrieval.embed({ text: [fitting] }, { part: 'text' })).toMatchObject([{ dims: [64, 96] }]);
    await expect(retrieval.match(images[0]!, `${fitting} star`)).rejects.toEqual(failure('SEQUENCE_TOO_LONG'));
  });
});

describe('retrieve', () => {
  test('sorts the nearest by the logit of the matching head plus the cosine', async () => {
    const [ranked = []] = await retrieval.retrieve(images, [texts[0]!]);
    expect(ranked.map(({ index }) => index)).toEqual([0, 1]);
    const [scores = []] = await retrieval.match([images[0]!], [texts[0]!]);
    expect(ranked[0]!.itm).toBeCloseTo(scores[0]!.itm, 5);
    // The logit is that of the whole model for the pair.
    const { pixelValues } = await retrieval.processor.process({ images: [images[0]!] });
    const { inputIds, attentionMask } = retrieval.processor.tokenizer.batchEncode([texts[0]!]);
    const { logitsPerImage } = await retrieval.model.forward(
      { pixelValues, inputIds, attentionMask },
      { useImageTextMatchingHead: true },
    );
    expect(ranked[0]!.score).toBeCloseTo(logitsPerImage.data[1]! + ranked[0]!.itc, 4);
    expect(ranked[0]!.score).toBeGreaterThan(ranked[1]!.score);
  });

  test('keeps the topK nearest by cosine, in both directions', async () => {
    const all = await retrieval.match(images, texts);
    const nearest = await retrieval.retrieve(images, texts, { topK: 1 });
    expect(nearest.map((row) => row.map(({ index }) => index))).toEqual(
      texts.map((_, text) => [all[0]![text]!.itc >= all[1]![text]!.itc ? 0 : 1]),
    );
    const other = await retrieval.retrieve(images, texts, { topK: 2, direction: 'imageToText' });
    expect(other.map((row) => row.length)).toEqual([2, 2]);
    expect(other[0]![0]!.index).toBe(0);
    for (const topK of [0, 1.5])
      await expect(retrieval.retrieve(images, texts, { topK })).rejects.toEqual(failure('INVALID_ARGUMENT'));
  });
});

describe('classify', () => {
  test('inserts each label into the template, dollar signs included', () => {
    expect(labelSentences(['cat', '$&'], {})).toEqual(['a picture of cat', 'a picture of $&']);
    expect(() => labelSentences(['cat'], { template: 'a picture' })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
    );
    expect(() => labelSentences([], {})).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error);
  });

  test('returns probabilities over the labels of each image, sharper at a lower temperature', async () => {
    const labels = ['star', 'square'];
    const rows = await retrieval.classify(images, labels, { template: 'a large yellow {}' });
    expect(rows).toHaveLength(2);
    expect(rows[0]!.map(({ label }) => label)).toEqual(['star', 'square']);
    expect(
      await retrieval.classify(images, [...labels.map((label) => `${label}\r`), ...labels], {
        template: 'a large yellow {}',
      }),
    ).toEqual(rows);
    // The tokenizer is uncased.
    await expect(retrieval.classify(images, ['Star', 'star'])).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'labels' },
    });
    const [sharp] = await retrieval.classify([images[0]!], labels, {
      template: 'a large yellow {}',
      temperature: 0.01,
    });
    expect(sharp![0]!.itc).toBeCloseTo(rows[0]![0]!.itc, 6);
    expect(sharp![0]!.probability).toBeGreaterThan(rows[0]![0]!.probability);
    await expect(retrieval.classify(images, labels, { temperature: 0 })).rejects.toEqual(failure('INVALID_ARGUMENT'));
  });
});

describe('embed', () => {
  test('returns each part in its shape; projected image and text have the cosine of match', async () => {
    const { visionConfig, qformerConfig, imageTextHiddenSize, numQueryTokens } = retrieval.model.config;
    const shapes = async (...[inputs, options]: Parameters<typeof retrieval.embed>): Promise<(readonly number[])[]> =>
      (await retrieval.embed(inputs, options)).map(({ dims }) => dims);
    const patches = (visionConfig.imageSize / visionConfig.patchSize) ** 2 + 1;
    expect(await shapes({ images }, { part: 'vision' })).toEqual([
      [patches, visionConfig.hiddenSize],
      [patches, visionConfig.hiddenSize],
    ]);
    expect(await shapes({ images: [images[0]!] }, { part: 'qformer' })).toEqual([
      [numQueryTokens, qformerConfig.hiddenSize],
    ]);
    expect(await shapes({ images: [images[0]!], text: [texts[0]!] })).toEqual([
      [numQueryTokens, qformerConfig.hiddenSize],
    ]);
    expect((await shapes({ text: texts }, { part: 'text' })).map(([tokens]) => tokens)).toEqual(
      texts.map((each) => retrieval.processor.tokenizer.encode(each).length),
    );
    const [image] = await retrieval.embed({ images: [images[0]!] });
    const [word] = await retrieval.embed({ text: [texts[0]!] });
    expect([image!.dims, word!.dims]).toEqual([[numQueryTokens, imageTextHiddenSize], [imageTextHiddenSize]]);
    const cosines = Array.from({ length: numQueryTokens }, (_, query) =>
      word!.data.reduce((sum, value, index) => sum + value * image!.data[query * imageTextHiddenSize + index]!, 0),
    );
    expect(Math.max(...cosines)).toBeCloseTo((await retrieval.match(images[0]!, texts[0]!)).itc, 5);
  });

  test('refuses parts that the inputs do not have', async () => {
    await expect(retrieval.embed({})).rejects.toEqual(failure('INVALID_ARGUMENT'));
    await expect(retrieval.embed({ images }, { part: 'text' })).rejects.toEqual(failure('INVALID_ARGUMENT'));
    await expect(retrieval.embed({ text: texts }, { part: 'vision' })).rejects.toEqual(failure('INVALID_ARGUMENT'));
    await expect(retrieval.embed({ images, text: texts })).rejects.toEqual(failure('INVALID_ARGUMENT'));
  });
});

test('escapes special tokens in a text', async () => {
  const [odd] = await retrieval.embed({ text: ['a [SEP] star'] }, { part: 'text' });
  const [plain] = await retrieval.embed({ text: ['a star'] }, { part: 'text' });
  expect(odd!.dims[0]).toBeGreaterThan(plain!.dims[0]! + 1);
});
