import type { AttentionMask, PatchFeatures, TextConditionedQFormer, TokenIds } from '@blip2/interfaces';

import { pseudoRandom } from '../fakes/pseudo-random.ts';
import { type Check, FLOAT32_TOLERANCE, type Tolerance } from './check.ts';
import { expectClose, expectDifferent, expectRejection } from './expectations.ts';
import { randomBatch } from './random-batch.ts';
import { tensorPartConformance } from './tensor-part-conformance.ts';

/** The text-conditioned Q-Former under test. */
export interface TextConditionedQFormerSubject {
  /** Creates a new Q-Former for each check, which disposes of it. */
  create(): TextConditionedQFormer | Promise<TextConditionedQFormer>;
  /** Exclusive upper bound of its token ids. */
  readonly vocabularySize: number;
  /** Number of patches in its input. Default 5. */
  readonly patches?: number;
  /** Tolerance of float comparisons. Default: 1e-4 absolute and relative. */
  readonly tolerance?: Tolerance;
}

interface Text {
  readonly inputIds: readonly TokenIds[];
  readonly attentionMask: AttentionMask;
}

/** Patch features of images, and one text per image. */
type Pairs = PatchFeatures & { readonly text: Text };

const TEXT_LENGTH = 4;

/** Conformance suite of the `TextConditionedQFormer` interface: the checks of a Q-Former and those of its text. */
export function textConditionedQFormerConformance({
  create,
  vocabularySize,
  patches = 5,
  tolerance = FLOAT32_TOLERANCE,
}: TextConditionedQFormerSubject): Check[] {
  const textOf = (seeds: readonly number[], length = TEXT_LENGTH): Text => ({
    inputIds: seeds.map((seed) =>
      Array.from({ length }, (_, index) => Math.floor(((pseudoRandom(seed, index) + 1) / 2) * vocabularySize)),
    ),
    attentionMask: seeds.map(() => new Array<number>(length).fill(1)),
  });
  const withPart = async (
    body: (qformer: TextConditionedQFormer, image: PatchFeatures) => Promise<void>,
  ): Promise<void> => {
    const qformer = await create();
    try {
      await body(qformer, randomBatch([1], patches, qformer.encoderHiddenSize));
    } finally {
      await qformer[Symbol.asyncDispose]();
    }
  };
  return [
    ...tensorPartConformance<TextConditionedQFormer, Pairs>({
      create,
      call: (qformer, { text, ...features }) => qformer.query(features, text),
      input: ({ encoderHiddenSize }, seeds) => ({
        ...randomBatch(seeds, patches, encoderHiddenSize),
        text: textOf(seeds),
      }),
      wrongInput: ({ encoderHiddenSize }) => ({
        ...randomBatch([1], patches, encoderHiddenSize + 1),
        text: textOf([1]),
      }),
      outputDims: ({ numQueryTokens, hiddenSize }) => [numQueryTokens, hiddenSize],
      tolerance,
    }),
    {
      name: 'returns different results for different texts',
      run: () =>
        withPart(async (qformer, image) =>
          expectDifferent(
            (await qformer.query(image, textOf([2]))).data,
            (await qformer.query(image, textOf([3]))).data,
            'two texts',
          ),
        ),
    },
    {
      name: 'ignores masked positions on the right of a text',
      run: () =>
        withPart(async (qformer, image) => {
          const {
            inputIds: [ids = []],
            attentionMask: [mask = []],
          } = textOf([2]);
          const alone = await qformer.query(image, { inputIds: [ids], attentionMask: [mask] });
          for (const filler of [0, vocabularySize - 1]) {
            const padded = await qformer.query(image, {
              inputIds: [[...ids, filler, filler]],
              attentionMask: [[...mask, 0, 0]],
            });
            expectClose(padded.data, alone.data, tolerance, 'padded text');
          }
        }),
    },
    {
      name: 'rejects a number of texts that differs from that of images',
      run: () =>
        withPart((qformer, image) =>
          expectRejection(() => qformer.query(image, textOf([2, 3])), 'two texts for one image'),
        ),
    },
  ];
}
