import type { PixelValues, Prompt, TokenEmbeddings } from '@blip2/interfaces';
import {
  fakeLanguageModel,
  fakeLanguageProjection,
  fakeQFormer,
  fakeVisionEncoder,
  pseudoRandom,
  recite,
} from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { type Blip2Parts, createPipeline } from './blip2-pipeline.ts';

const IMAGE = 9;
const pixelValues: PixelValues = {
  type: 'float32',
  dims: [2, 3, 4, 4],
  data: Float32Array.from({ length: 96 }, (_, index) => pseudoRandom(index)),
};

function parts(changed: Partial<Blip2Parts> = {}): Blip2Parts {
  return {
    vision: fakeVisionEncoder({ imageSize: 4, hiddenSize: 5, patches: 3 }),
    qformer: fakeQFormer({ numQueryTokens: 2, hiddenSize: 6, encoderHiddenSize: 5 }),
    projection: fakeLanguageProjection({ inFeatures: 6, outFeatures: 4 }),
    language: fakeLanguageModel(),
    ...changed,
  };
}
function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}
function position({ dims: [, sequence, size], data }: TokenEmbeddings, row: number, at: number): number[] {
  return [...data.subarray((row * sequence + at) * size, (row * sequence + at + 1) * size)];
}

describe('createPipeline', () => {
  const misfits: readonly (readonly [Partial<Blip2Parts>, string])[] = [
    [
      { vision: fakeVisionEncoder({ imageSize: 4, hiddenSize: 7, patches: 3 }) },
      'vision.hiddenSize is 7 but qformer.encoderHiddenSize is 5',
    ],
    [
      { qformer: fakeQFormer({ numQueryTokens: 2, hiddenSize: 8, encoderHiddenSize: 5 }) },
      'qformer.hiddenSize is 8 but projection.inFeatures is 6',
    ],
    [
      { language: fakeLanguageModel({ embeddingSize: 3 }) },
      'projection.outFeatures is 4 but language.embeddingSize is 3',
    ],
  ];
  test.each(misfits)('refuses adjacent parts of different widths before anything runs: %#', (changed, message) => {
    expect(() => createPipeline(parts(changed), { imageTokenIndex: IMAGE })).toThrow(
      failure('SHAPE_MISMATCH', new RegExp(message)),
    );
  });

  test('disposes of its parts', async () => {
    const pipeline = createPipeline(parts(), { imageTokenIndex: IMAGE });
    await pipeline[Symbol.asyncDispose]();
    await expect(pipeline.vision.encode(pixelValues)).rejects.toThrow(failure('DISPOSED'));
    await expect(pipeline.language.embed([[1]])).rejects.toThrow(failure('DISPOSED'));
  });
});

describe('a prompt with image tokens', () => {
  const pipeline = createPipeline(parts(), { imageTokenIndex: IMAGE });

  test('has the features of its own image at the image tokens, and text embeddings elsewhere', async () => {
    const prefix = await pipeline.encodeImages(pixelValues);
    const inputIds = [
      [IMAGE, IMAGE, 3, 4],
      [1, IMAGE, IMAGE, 4],
    ];
    const { inputsEmbeds, attentionMask, promptIds } = await pipeline.embedPrompt({
      pixelValues,
      inputIds,
      attentionMask: [
        [1, 1, 1, 1],
        [0, 1, 1, 1],
      ],
    });
    const words = await pipeline.language.embed(inputIds);
    expect(inputsEmbeds.dims).toEqual([2, 4, 4]);
    expect([0, 1].map((at) => position(inputsEmbeds, 0, at))).toEqual([0, 1].map((at) => position(prefix, 0, at)));
    expect([1, 2].map((at) => position(inputsEmbeds, 1, at))).toEqual([0, 1].map((at) => position(prefix, 1, at)));
    for (const [row, at] of [
      [0, 2],
      [0, 3],
      [1, 0],
      [1, 3],
    ] as const)
      expect(position(inputsEmbeds, row, at)).toEqual(position(words, row, at));
    expect({ attentionMask, promptIds }).toEqual({
      attentionMask: [
        [1, 1, 1, 1],
        [0, 1, 1, 1],
      ],
      promptIds: inputIds,
    });
  });

  test('refuses a number of image tokens other than that of the features', async () => {
    for (const inputIds of [
      [
        [IMAGE, 3],
        [IMAGE, 3],
      ],
      [
        [3, 3],
        [3, 3],
      ],
      [
        [IMAGE, IMAGE, IMAGE],
        [IMAGE, IMAGE, 3],
      ],
    ]) {
      await expect(pipeline.embedPrompt({ pixelValues, inputIds })).rejects.toThrow(
        failure('SHAPE_MISMATCH', /4 tokens 9/),
      );
    }
  });

  test('is image tokens and the start token without text', async () => {
    expect((await pipeline.embedPrompt({ pixelValues })).promptIds).toEqual([
      [IMAGE, IMAGE, 0],
      [IMAGE, IMAGE, 0],
    ]);
    const startless = createPipeline(parts({ language: fakeLanguageModel({ specialTokens: { eosTokenId: 2 } }) }), {
      imageTokenIndex: IMAGE,
    });
    expect((await startless.embedPrompt({ pixelValues })).promptIds).toEqual([
      [IMAGE, IMAGE],
      [IMAGE, IMAGE],
    ]);
  });

  test('can be embeddings, whose image tokens are found by their vectors', async () => {
    const inputIds = [
      [IMAGE, IMAGE, 3, 4],
      [1, IMAGE, IMAGE, 4],
    ];
    const inputsEmbeds = await pipeline.language.embed(inputIds);
    const prompt = await pipeline.embedPrompt({ pixelValues, inputIds });
    expect(await pipeline.embedPrompt({ pixelValues, inputsEmbeds })).toEqual({ ...prompt, promptIds: [[], []] });
    await expect(
      pipeline.embedPrompt({
        pixelValues,
        inputsEmbeds: await pipeline.language.embed([
          [3, 4],
          [3, 4],
        ]),
      }),
    ).rejects.toThrow(failure('SHAPE_MISMATCH', /4 tokens 9/));
    await expect(pipeline.embedPrompt({ pixelValues, inputsEmbeds, inputIds })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /both/),
    );
  });

  test('accepts the prefix of images in their place', async () => {
    const prefix = await pipeline.encodeImages(pixelValues);
    const inputIds = [
      [IMAGE, IMAGE, 3],
      [IMAGE, IMAGE, 4],
    ];
    expect(await pipeline.embedPrompt({ pixelValues: prefix, inputIds })).toEqual(
      await pipeline.embedPrompt({ pixelValues, inputIds }),
    );
  });

  test('refuses a prefix of another width', async () => {
    const wide: TokenEmbeddings = { type: 'float32', dims: [1, 2, 5], data: new Float32Array(10) };
    await expect(pipeline.embedPrompt({ pixelValues: wide, inputIds: [[IMAGE, IMAGE, 3]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /\[batch, queries, 4\].*\[1, 2, 5\]/),
    );
  });
});

describe('a prompt without image tokens (legacy checkpoints)', () => {
  const pipeline = createPipeline(parts(), { imageTokenIndex: undefined });

  test('has the features before the text', async () => {
    const prefix = await pipeline.encodeImages(pixelValues);
    const inputIds = [
      [1, 3],
      [IMAGE, 4],
    ];
    const { inputsEmbeds, attentionMask } = await pipeline.embedPrompt({
      pixelValues,
      inputIds,
      attentionMask: [
        [0, 1],
        [1, 1],
      ],
    });
    const words = await pipeline.language.embed(inputIds);
    expect(inputsEmbeds.dims).toEqual([2, 4, 4]);
    for (const row of [0, 1])
      for (const at of [0, 1]) {
        expect(position(inputsEmbeds, row, at)).toEqual(position(prefix, row, at));
        expect(position(inputsEmbeds, row, at + 2)).toEqual(position(words, row, at));
      }
    expect(attentionMask).toEqual([
      [1, 1, 0, 1],
      [1, 1, 1, 1],
    ]);
  });

  test('is the start token without text', async () => {
    expect((await pipeline.embedPrompt({ pixelValues })).promptIds).toEqual([[0], [0]]);
  });

  test('refuses different numbers of texts and images', async () => {
    await expect(pipeline.embedPrompt({ pixelValues, inputIds: [[3]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /one row per image/),
    );
  });
});

describe('generate', () => {
  test('generates the tokens of the language model after the prompt', async () => {
    const pipeline = createPipeline(parts({ language: recited([5, 6, 2]) }), { imageTokenIndex: IMAGE });
    const { sequences } = await pipeline.generate({ pixelValues }, { maxNewTokens: 5 });
    expect(sequences).toEqual([
      [5, 6, 2],
      [5, 6, 2],
    ]);
  });

  test('passes the ids of the prompt to penalties', async () => {
    const penalized: (readonly number[])[] = [];
    const pipeline = createPipeline(parts(), { imageTokenIndex: IMAGE });
    await pipeline.generate(
      {
        pixelValues,
        inputIds: [
          [IMAGE, IMAGE, 3],
          [IMAGE, IMAGE, 4],
        ],
      },
      { maxNewTokens: 1, logitsProcessors: [(ids) => void penalized.push([...ids])] },
    );
    expect(penalized).toEqual([
      [IMAGE, IMAGE, 3],
      [IMAGE, IMAGE, 4],
    ]);
  });

  test('passes interpolatePosEncoding to the encoder', async () => {
    const received: unknown[] = [];
    const { vision } = parts();
    const noting = {
      ...vision,
      encode: (pixels: PixelValues, options?: object) => (received.push(options), vision.encode(pixels)),
    };
    const pipeline = createPipeline(parts({ vision: noting }), { imageTokenIndex: IMAGE });
    await pipeline.generate({ pixelValues }, { maxNewTokens: 1, interpolatePosEncoding: true });
    await pipeline.generate({ pixelValues }, { maxNewTokens: 1 });
    expect(received).toEqual([{ interpolatePosEncoding: true }, { interpolatePosEncoding: false }]);
  });
});

/** A language model that generates a fixed script for any input. */
function recited(script: readonly number[]): Blip2Parts['language'] {
  return {
    ...fakeLanguageModel(),
    start: async ({ inputsEmbeds }: Prompt) =>
      recite(
        Array.from({ length: inputsEmbeds.dims[0] }, () => script),
        40,
      ),
  };
}
