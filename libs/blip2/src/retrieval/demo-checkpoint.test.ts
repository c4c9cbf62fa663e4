import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2Retrieval } from './blip2-retrieval.ts';

const cli = join(import.meta.dirname, '../../../../apps/cli');
const evaluation = join(cli, 'evaluation');

type Scene = Readonly<Record<'image' | 'caption' | 'false_caption', string>>;
interface Recorded {
  readonly logits: readonly [number, number];
  readonly itc: number;
}
interface Expected {
  readonly itm: { readonly true: Recorded; readonly false: Recorded };
}
const read = <T>(name: string): T[] =>
  readFileSync(join(evaluation, name), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** The scores of Hugging Face Transformers in float32 were recorded with five decimals. */
const TOLERANCE = 1e-3;
const probability = ([mismatch, match]: readonly [number, number]): number => 1 / (1 + Math.exp(mismatch - match));

describe('the demo checkpoint gives the scores of Hugging Face Transformers', () => {
  let retrieval: Awaited<ReturnType<typeof Blip2Retrieval.fromPretrained>>;
  beforeAll(async () => {
    retrieval = await Blip2Retrieval.fromPretrained(join(cli, 'models/blip2-itm-shapes'), { threads: 1 });
  });
  afterAll(() => retrieval.dispose());

  const check = async (folder: string, scenes: readonly Scene[], expected: readonly Expected[]): Promise<void> => {
    expect(scenes).toHaveLength(expected.length);
    for (const [index, { image, caption, false_caption: wrong }] of scenes.entries()) {
      const recorded = expected[index]!.itm;
      const { pixelValues } = await retrieval.processor.process({ images: [join(folder, image)] });
      const { inputIds, attentionMask } = retrieval.processor.tokenizer.batchEncode([caption, wrong], {
        padding: true,
        paddingSide: 'right',
      });
      const pair = {
        ...pixelValues,
        dims: [2, ...pixelValues.dims.slice(1)] as [number, number, number, number],
        data: Float32Array.from([...pixelValues.data, ...pixelValues.data]),
      };
      const { logitsPerImage } = await retrieval.model.forward(
        { pixelValues: pair, inputIds, attentionMask },
        { useImageTextMatchingHead: true },
      );
      const logits = [...recorded.true.logits, ...recorded.false.logits];
      expect(Math.max(...logits.map((logit, at) => Math.abs(logit - logitsPerImage.data[at]!))), image).toBeLessThan(
        TOLERANCE,
      );

      const [scores = []] = await retrieval.match([join(folder, image)], [caption, wrong]);
      [recorded.true, recorded.false].forEach((one, at) => {
        expect(Math.abs(scores[at]!.itc - one.itc), `${image} itc`).toBeLessThan(TOLERANCE);
        expect(Math.abs(scores[at]!.itm - probability(one.logits)), `${image} itm`).toBeLessThan(TOLERANCE);
      });
    }
  };

  test('for 200 scenes, each with its caption and one with a false detail', async () => {
    const scenes = read<Scene>('scenes.jsonl');
    expect(scenes).toHaveLength(200);
    await check(evaluation, scenes, read<Expected>('expected.jsonl'));
  }, 120_000);

  test('for the example images, including JPEG and large ones', async () => {
    const folder = join(cli, '../../examples');
    await check(folder, read<Scene>('examples.jsonl'), read<Expected>('examples-expected.jsonl'));
  });

  test('retrieves images by caption among 30, and captions by image', async () => {
    const scenes = read<Scene>('scenes.jsonl').slice(0, 30);
    const images = scenes.map(({ image }) => join(evaluation, image));
    const texts = scenes.map(({ caption }) => caption);
    const found = await retrieval.retrieve(images, texts, { topK: 3 });
    expect(found.map((candidates) => candidates.length)).toEqual(texts.map(() => 3));
    // Captions that occur twice can retrieve each other's image.
    expect(found.map(([best]) => texts[best!.index])).toEqual(texts);
    const ranked = await retrieval.retrieve(images, texts, { topK: 3, direction: 'imageToText' });
    expect(ranked.map(([best]) => texts[best!.index])).toEqual(texts);
  });

  test('classifies the shape in an image zero-shot', async () => {
    const labels = ['star', 'circle', 'square', 'triangle'];
    const [best, ...others] = await retrieval.classify(join(cli, '../../examples/one-large-star.png'), labels, {
      template: 'a large yellow {}',
    });
    expect(best?.label).toBe('star');
    expect([best!, ...others].reduce((sum, each) => sum + each.probability, 0)).toBeCloseTo(1, 6);
  });
});
