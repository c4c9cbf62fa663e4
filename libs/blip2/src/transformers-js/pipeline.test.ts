import { join } from 'node:path';

import { Blip2Processor, decodeImage } from '@blip2/processor';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';

import { Blip2Model } from '../models/blip2-model.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import type { ImageFeatureExtractionPipeline } from './image-feature-extraction.ts';
import type { ImageToTextOutput, ImageToTextPipeline } from './image-to-text.ts';
import { pipeline } from './pipeline.ts';
import type { VisualAnswer, VisualQuestionAnsweringPipeline } from './visual-question-answering.ts';
import type { ZeroShotImageClassificationPipeline } from './zero-shot-image-classification.ts';

const root = join(import.meta.dirname, '../../../..');
const [generation, retrieval] = ['blip2-opt-shapes', 'blip2-itm-shapes'].map((name) =>
  join(root, 'apps/cli/models', name),
) as [string, string];
const [leftOf, star] = ['left-of.png', 'one-large-star.png'].map((name) => join(root, 'examples', name)) as [
  string,
  string,
];
const LEFT_OF = 'a blue triangle to the left of a small yellow circle';
const STAR = 'a large yellow star';

function failure(code: string, words: RegExp): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}

describe('image-to-text', () => {
  let captioner: ImageToTextPipeline;
  beforeAll(async () => {
    captioner = await pipeline('image-to-text', generation, { threads: 1 });
  });
  afterAll(() => captioner.dispose());

  test('returns a list of one for an image, and a list of these for a list', async () => {
    expect(await captioner(leftOf)).toEqual([{ generated_text: LEFT_OF }]);
    expect(await captioner([leftOf, star])).toEqual([[{ generated_text: LEFT_OF }], [{ generated_text: STAR }]]);
    expect(await captioner([star])).toEqual([[{ generated_text: STAR }]]);
    expect(await captioner([])).toEqual([]);
    expectTypeOf(await captioner(leftOf)).toEqualTypeOf<ImageToTextOutput>();
    expectTypeOf(await captioner([leftOf])).toEqualTypeOf<ImageToTextOutput[]>();
  });

  test('accepts options in either spelling, and refuses both at once and unknown ones', async () => {
    const short = await captioner(leftOf, { maxNewTokens: 2 });
    expect(short).not.toEqual([{ generated_text: LEFT_OF }]);
    expect(await captioner(leftOf, { max_new_tokens: 2 })).toEqual(short);
    await expect(captioner(leftOf, { max_new_tokens: 2, maxNewTokens: 3 })).rejects.toEqual(
      failure('INVALID_ARGUMENT', /maxNewTokens must be given in one spelling/),
    );
    await expect(captioner(leftOf, JSON.parse('{"max_tokens":2}'))).rejects.toEqual(
      failure('UNKNOWN_OPTION', /maxTokens/),
    );
  });

  test('accepts raw pixel values and encoded images, and exposes its task', async () => {
    const {
      data,
      dims: [height, width, channels],
    } = await decodeImage(star);
    expect(await captioner({ data, width, height, channels })).toEqual([{ generated_text: STAR }]);
    await using image = await captioner.model.encode(star);
    expect(await captioner(image)).toEqual([{ generated_text: STAR }]);
    expect(captioner.task).toBe('image-to-text');
    expect(
      captioner.processor.tokenizer
        .decode(captioner.processor.tokenizer.encode('blue'), { skipSpecialTokens: true })
        .trim(),
    ).toBe('blue');
  });

  test('fetches no URL by default', async () => {
    await expect(captioner('http://127.0.0.1:9/image.png')).rejects.toEqual(failure('INVALID_ARGUMENT', /allowUrls/));
  });
});

describe('visual-question-answering', () => {
  let answerer: VisualQuestionAnsweringPipeline;
  beforeAll(async () => {
    answerer = await pipeline('visual-question-answering', generation, { threads: 1 });
  });
  afterAll(() => answerer.dispose());
  const question = 'what color is the triangle?';

  test('returns a list of one with the answer and its probability', async () => {
    const [first, ...others] = await answerer(leftOf, question);
    expect(others).toEqual([]);
    expect(first?.answer).toBe('blue');
    const [ranked] = await answerer.model.rank(leftOf, question, ['blue']);
    expect(first?.score).toBeCloseTo(Math.exp(ranked!.logProb), 4);
    expectTypeOf(await answerer(leftOf, question)).toEqualTypeOf<VisualAnswer[]>();
  });

  test('returns one output for each of a list of images or questions', async () => {
    const words = (outputs: VisualAnswer[][]): string[][] =>
      outputs.map((answers) => answers.map(({ answer }) => answer));
    expect(words(await answerer(leftOf, [question, 'what shape is on the left?']))).toEqual([['blue'], ['triangle']]);
    expect(words(await answerer([leftOf], question))).toEqual([['blue']]);
    expect(words(await answerer([leftOf, star], [question, 'what color is the star?']))).toEqual([
      ['blue'],
      ['yellow'],
    ]);
  });

  test('returns no score with beams', async () => {
    expect(await answerer(leftOf, question, { num_beams: 2 })).toEqual([{ answer: 'blue' }]);
  });

  test('refuses an empty question', async () => {
    await expect(answerer(leftOf, ' ')).rejects.toEqual(failure('INVALID_ARGUMENT', /empty/));
  });
});

describe('image-feature-extraction', () => {
  let extractor: ImageFeatureExtractionPipeline;
  beforeAll(async () => {
    extractor = await pipeline('image-feature-extraction', generation, { threads: 1 });
  });
  afterAll(() => extractor.dispose());

  test('returns the output of the whole model, one row per image in one tensor', async () => {
    await using model = await Blip2Model.fromPretrained(generation, { threads: 1 });
    const processor = await Blip2Processor.fromPretrained(generation);
    const { pixelValues } = await processor.process({ images: [star] });
    const [vision, qformer] = [
      await model.getImageFeatures({ pixelValues }),
      await model.getQFormerFeatures({ pixelValues }),
    ];
    expect(await extractor(star)).toEqual(vision.lastHiddenState);
    expect(await extractor([star], { pool: true })).toEqual(vision.poolerOutput);
    expect(await extractor(star, { part: 'qformer' })).toEqual(qformer.lastHiddenState);
    expect(await extractor(star, { part: 'qformer', pool: true })).toEqual(qformer.poolerOutput);
    expect(vision.lastHiddenState.dims).toEqual([1, 65, 128]);
  });

  test('keeps the order over several batches', async () => {
    const images = [star, leftOf, leftOf, star, leftOf];
    const { dims, data } = await extractor(images, { pool: true });
    expect(dims).toEqual([5, 128]);
    for (const [row, image] of images.entries()) {
      const alone = await extractor(image, { pool: true });
      const difference = Math.max(...alone.data.map((value, index) => Math.abs(value - data[row * 128 + index]!)));
      expect(difference, `row ${row}`).toBeLessThan(1e-4);
    }
  });

  test('returns the features that retrieval compares', async () => {
    await using compared = await Blip2Retrieval.fromPretrained(retrieval, { threads: 1 });
    await using features = await pipeline('image-feature-extraction', retrieval, { threads: 1 });
    const { dims, data } = await features(star, { part: 'image-proj' });
    const [expected] = await compared.embed({ images: [star] });
    expect(dims).toEqual([1, ...expected!.dims]);
    expect(data).toEqual(expected!.data);
    await expect(features(star, { part: 'image-proj', pool: true })).rejects.toEqual(
      failure('INVALID_ARGUMENT', /pool/),
    );
  });

  test('refuses unknown parts, empty lists, and calls after disposal', async () => {
    await expect(extractor(star, JSON.parse('{"part":"text"}'))).rejects.toEqual(
      failure('INVALID_ARGUMENT', /vision, qformer, image-proj/),
    );
    await expect(extractor(star, { part: 'image-proj' })).rejects.toEqual(failure('MISSING_WEIGHT', /no tensor/));
    await expect(extractor([])).rejects.toEqual(failure('INVALID_ARGUMENT', /images must not be empty/));
    const other = await pipeline('image-feature-extraction', generation);
    await other.dispose();
    await expect(other(star)).rejects.toEqual(failure('DISPOSED', /disposed/));
  });
});

describe('zero-shot-image-classification', () => {
  let classifier: ZeroShotImageClassificationPipeline;
  beforeAll(async () => {
    classifier = await pipeline('zero-shot-image-classification', retrieval, { threads: 1 });
  });
  afterAll(() => classifier.dispose());
  const labels = ['circle', 'star', 'square', 'triangle'];

  test('returns labels and scores, best first, for one image and for each of a list', async () => {
    const one = await classifier(star, labels, { hypothesis_template: 'a large yellow {}' });
    expect(one[0]?.label).toBe('star');
    expect(one.map(({ score }) => score)).toEqual(one.map(({ score }) => score).toSorted((a, b) => b - a));
    expect(one.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 6);
    expect(Object.keys(one[0] ?? {}).toSorted()).toEqual(['label', 'score']);
    const list = await classifier([star, leftOf], labels, { hypothesisTemplate: 'a large yellow {}' });
    expect(list).toHaveLength(2);
    expect(list[0]).toEqual(one);
  });

  test('uses the template of transformers.js by default', async () => {
    expect(await classifier(star, labels)).toEqual(
      await classifier(star, labels, { hypothesis_template: 'This is a photo of {}' }),
    );
  });

  test('refuses an empty list of labels, and a template without a placeholder', async () => {
    await expect(classifier(star, [])).rejects.toEqual(failure('INVALID_ARGUMENT', /labels/));
    await expect(classifier(star, labels, { hypothesis_template: 'a photo' })).rejects.toEqual(
      failure('INVALID_ARGUMENT', /template/),
    );
  });
});

describe('pipeline', () => {
  test('refuses an unknown task or a missing source and lists the tasks', async () => {
    // @ts-expect-error: there is no such task
    await expect(pipeline('image-to-txt', generation)).rejects.toEqual(
      failure('INVALID_ARGUMENT', /Did you mean image-to-text\?/),
    );
    // @ts-expect-error: nor this one
    await expect(pipeline('toString', generation)).rejects.toEqual(
      failure('INVALID_ARGUMENT', /visual-question-answering/),
    );
    // @ts-expect-error: there is no default model
    await expect(pipeline('image-to-text')).rejects.toEqual(failure('INVALID_ARGUMENT', /source must be/));
  });

  test('names the replacements of options of transformers.js', async () => {
    const options = JSON.parse('{"progress_callback":null}');
    await expect(pipeline('image-to-text', generation, options)).rejects.toEqual(
      failure('UNKNOWN_OPTION', /progressCallback.*onProgress/),
    );
  });

  test('forwards load options in either spelling', async () => {
    await expect(
      pipeline('image-to-text', 'someone/nothing', {
        local_files_only: true,
        cache_dir: join(import.meta.dirname, 'none'),
      }),
    ).rejects.toEqual(failure('OFFLINE', /nothing/));
    await expect(pipeline('image-to-text', generation, JSON.parse('{"dtype":"fp16"}'))).rejects.toEqual(
      failure('UNSUPPORTED_DTYPE', /fp16/),
    );
  });

  test('refuses a checkpoint without the parts of the task', async () => {
    await expect(pipeline('zero-shot-image-classification', generation)).rejects.toEqual(
      failure('UNSUPPORTED_ARCHITECTURE', /./),
    );
    await expect(pipeline('image-to-text', retrieval)).rejects.toMatchObject({ name: 'Blip2Error' });
  });
});
