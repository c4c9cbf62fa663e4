import { expectKnownOptions, type ImageSource, mustBe, type Tensor } from '@blip2/interfaces';
import { Blip2Processor } from '@blip2/processor';

import type { ModelFolders, ModelSources } from '../checkpoint/model-sources.ts';
import { isImageList, onlyResult } from '../images/image-list.ts';
import { expectImageOptions } from '../images/task-images.ts';
import { type CallQueue, createCallQueue, type QueueOptions } from '../lifetime/call-queue.ts';
import type { PretrainedLoader } from '../models/model-loader.ts';
import { distinctTexts, expectDistinctTokens } from '../pipeline/distinct-texts.ts';
import { expectEncoderFits } from '../pipeline/expect-fit.ts';
import { assembleRetrieval, type Blip2ForImageTextRetrieval } from './blip2-for-image-text-retrieval.ts';
import {
  CLASSIFY_OPTIONS,
  type ClassifyOptions,
  type LabelScore,
  labelSentences,
  rankLabels,
} from './classify-images.ts';
import { type EmbedInputs, embedInputs, type EmbedOptions, expectEmbedInputs } from './embed-inputs.ts';
import {
  encodeRetrievalImages,
  encodeRetrievalTexts,
  RETRIEVAL_OPTIONS,
  type RetrievalTaskOptions,
  type RetrievalTaskParts,
} from './encode-retrieval-inputs.ts';
import {
  expectRetrieveOptions,
  rankCandidates,
  type RankedCandidate,
  type RetrieveOptions,
} from './rank-candidates.ts';
import { RETRIEVAL_CONTENT } from './retrieval-content.ts';
import { openRetrieval } from './retrieval-loader.ts';
import { cosineOf, scorePairs } from './score-pairs.ts';

/** How well an image and a text match. */
export interface MatchScore {
  /**
   * Image-text matching: the probability that they match, in [0, 1]. The matching head sees image and text together.
   */
  readonly itm: number;
  /**
   * Image-text contrast: the cosine of the text and the best query of the image, in [-1, 1]. Each is encoded without
   * the other.
   */
  readonly itc: number;
}

/**
 * The tasks of a retrieval checkpoint. The features of an image or a text are computed once per call, however many
 * others it is compared with. Texts are truncated to the maximum length of the Q-Former.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE`, `DOWNLOAD_FAILED` for an
 * image; `SEQUENCE_TOO_LONG` for a text beyond the limit of the tokenizer; `NOT_FINITE` if a part
 * returns NaN or infinity; `DISPOSED`.
 */
export interface Blip2Retrieval extends AsyncDisposable {
  /** Image processor and tokenizer; it inserts no image tokens into texts. */
  readonly processor: Blip2Processor;
  /** Scores one pair, or every image with every text: `result[image][text]`. */
  match(image: ImageSource, text: string, options?: RetrievalTaskOptions): Promise<MatchScore>;
  match(
    images: readonly ImageSource[],
    texts: readonly string[],
    options?: RetrievalTaskOptions,
  ): Promise<MatchScore[][]>;
  /**
   * Features, one tensor per image, text or pair; see `EmbedPart`.
   * @throws Blip2Error also `INVALID_ARGUMENT` without inputs, for a part that they do not have, or for pairs with
   * different numbers of images and texts.
   */
  embed(inputs: EmbedInputs, options?: EmbedOptions): Promise<Tensor<'float32'>[]>;
  /**
   * Classifies images zero-shot: scores each label by ITC, best first.
   * @throws Blip2Error also `INVALID_ARGUMENT` without labels, for a template without `{}`, or for a temperature that
   * is
   * not positive.
   */
  classify(image: ImageSource, labels: readonly string[], options?: ClassifyOptions): Promise<LabelScore[]>;
  classify(
    images: readonly ImageSource[],
    labels: readonly string[],
    options?: ClassifyOptions,
  ): Promise<LabelScore[][]>;
  /**
   * Searches in two stages (arXiv 2301.12597, section 4.4): the `topK` nearest by ITC, sorted by ITM. One list per
   * query, best first.
   * @throws Blip2Error also `INVALID_ARGUMENT` for a `topK` that is not a positive integer.
   */
  retrieve(
    images: readonly ImageSource[],
    texts: readonly string[],
    options?: RetrieveOptions,
  ): Promise<RankedCandidate[][]>;
  /** Disposes of all parts; later calls fail with `DISPOSED`. */
  dispose(): Promise<void>;
}

/**
 * Builds the tasks from parts. `dispose` of the result calls `dispose`.
 * @throws Blip2Error `SHAPE_MISMATCH` if the Q-Former does not accept the output width of the encoder.
 */
export function createBlip2Retrieval(
  parts: RetrievalTaskParts,
  dispose: () => Promise<void>,
  options: QueueOptions = {},
): Blip2Retrieval {
  return createTasks(parts, dispose, createCallQueue(options));
}

function createTasks(allParts: RetrievalTaskParts, dispose: () => Promise<void>, queue: CallQueue): Blip2Retrieval {
  expectEncoderFits(allParts.visionModel, allParts.qformer);
  /** Runs a task in the queue of the model. */
  const run = <T>(
    isList: boolean,
    { signal }: RetrievalTaskOptions,
    work: (parts: RetrievalTaskParts) => Promise<T>,
  ): Promise<T> => queue.run({ isList, signal }, (enter) => work({ ...allParts, enter }));

  function match(image: ImageSource, text: string, options?: RetrievalTaskOptions): Promise<MatchScore>;
  function match(
    images: readonly ImageSource[],
    texts: readonly string[],
    options?: RetrievalTaskOptions,
  ): Promise<MatchScore[][]>;
  async function match(
    images: ImageSource | readonly ImageSource[],
    texts: string | readonly string[],
    options: RetrievalTaskOptions = {},
  ): Promise<MatchScore | MatchScore[][]> {
    expectKnownOptions('match', options, RETRIEVAL_OPTIONS);
    expectImageOptions(options);
    const isList = isImageList(images) || typeof texts !== 'string';
    const rows = await run(isList, options, (parts) =>
      matchAll(parts, isImageList(images) ? images : [images], typeof texts === 'string' ? [texts] : texts, options),
    );
    return isList ? rows : onlyResult(rows.flat());
  }
  function classify(image: ImageSource, labels: readonly string[], options?: ClassifyOptions): Promise<LabelScore[]>;
  function classify(
    images: readonly ImageSource[],
    labels: readonly string[],
    options?: ClassifyOptions,
  ): Promise<LabelScore[][]>;
  async function classify(
    images: ImageSource | readonly ImageSource[],
    labels: readonly string[],
    options: ClassifyOptions = {},
  ): Promise<LabelScore[] | LabelScore[][]> {
    expectKnownOptions('classify', options, CLASSIFY_OPTIONS);
    expectImageOptions(options);
    const distinct = distinctTexts('labels', labels);
    const sentences = labelSentences(distinct, options);
    const rows = await run(isImageList(images), options, async (parts) => {
      const texts = await encodeRetrievalTexts(parts, sentences, options);
      expectDistinctTokens(
        'labels',
        distinct,
        texts.map(({ ids }) => ids),
      );
      const encoded = await encodeRetrievalImages(parts, isImageList(images) ? images : [images], options);
      return encoded.map((image) => rankLabels(image, distinct, texts, options));
    });
    return isImageList(images) ? rows : onlyResult(rows);
  }
  return {
    processor: allParts.processor,
    match,
    async embed(inputs, options = {}) {
      const part = expectEmbedInputs(inputs, options);
      const isList = (inputs.images ?? inputs.text ?? []).length > 1;
      return run(isList, options, (parts) => embedInputs(parts, inputs, part, options));
    },
    classify,
    async retrieve(images, texts, options = {}) {
      expectRetrieveOptions(options);
      expectImageOptions(options);
      if (!isImageList(images)) throw mustBe('images', 'a list of images', images);
      return run(true, options, async (parts) => {
        // Texts first: one that is refused costs no work on images.
        const encodedTexts = await encodeRetrievalTexts(parts, texts, options);
        return rankCandidates(parts, await encodeRetrievalImages(parts, images, options), encodedTexts, options);
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function matchAll(
  parts: RetrievalTaskParts,
  images: readonly ImageSource[],
  texts: readonly string[],
  options: RetrievalTaskOptions,
): Promise<MatchScore[][]> {
  const encodedTexts = await encodeRetrievalTexts(parts, texts, options);
  const rows: MatchScore[][] = [];
  for (const image of await encodeRetrievalImages(parts, images, options)) {
    const pairs = encodedTexts.map((text) => ({ image, text }));
    const scores = await scorePairs(parts, pairs, options);
    rows.push(pairs.map((pair, index) => ({ itm: scores[index]?.probability ?? NaN, itc: cosineOf(pair) })));
  }
  return rows;
}

/**
 * The processor of a retrieval checkpoint. It inserts no image tokens, even if its configuration requests them: the
 * tasks prepend the queries themselves.
 */
export async function retrievalProcessor({
  images,
  processor: text,
}: Pick<ModelFolders, 'images' | 'processor'>): Promise<Blip2Processor> {
  const { tokenizer, imageProcessor } = await Blip2Processor.fromPretrained({ images, text });
  return Blip2Processor.create({ tokenizer, imageProcessor });
}

export const Blip2Retrieval: PretrainedLoader<
  string | ModelSources,
  Blip2Retrieval & { readonly model: Blip2ForImageTextRetrieval }
> = {
  fromPretrained: (source, options = {}) =>
    openRetrieval(source, options, RETRIEVAL_CONTENT, async (parts) => {
      const [model, processor] = await Promise.all([assembleRetrieval(parts), retrievalProcessor(parts.folders)]);
      return { ...createTasks({ ...model, processor }, model.dispose, parts.queue), model };
    }),
};
