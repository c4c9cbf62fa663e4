import { Blip2Error, type ImageSource, type Tensor } from '@blip2/interfaces';
import { Blip2Processor } from '@blip2/processor';

import type { LoadOptions } from '../parts/load-options.ts';
import { expectSeen } from '../pipeline/blip2-pipeline.ts';
import { assembleRetrieval, type Blip2ForImageTextRetrieval } from './blip2-for-image-text-retrieval.ts';
import { type ClassifyOptions, type LabelScore, labelSentences, rankLabels } from './classify-images.ts';
import { type EmbedInputs, embedInputs, type EmbedOptions } from './embed-inputs.ts';
import { encodeImages, encodeTexts, type RetrievalTaskOptions, type RetrievalTaskParts } from './encode-inputs.ts';
import { openRetrieval } from './open-retrieval.ts';
import { rankCandidates, type RankedCandidate, type RetrieveOptions } from './rank-candidates.ts';
import { RETRIEVAL_CONTENT } from './retrieval-content.ts';
import { cosineOf, scorePairs } from './score-pairs.ts';

/** How well an image and a text fit. */
export interface MatchScore {
  /** Image-text matching: the probability that they match, in [0, 1]. The matching head reads both together. */
  readonly itm: number;
  /**
   * Image-text contrast: the cosine of the text and the image's best query, in [-1, 1]. Each is computed without the
   * other.
   */
  readonly itc: number;
}

/**
 * The tasks of a retrieval checkpoint. Features of an image or a text are computed once per call, however many it is
 * compared with. A text longer than the
 * Q-Former reads is cut.
 * @throws Blip2Error each task: `MISSING_FILE`, `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE`,
 * `DOWNLOAD_FAILED` for an image; `SEQUENCE_TOO_LONG` for a
 * text beyond the tokenizer's limit; `DISPOSED`; `INVALID_ARGUMENT` where it says so.
 */
export interface Blip2Retrieval extends AsyncDisposable {
  /** Image processor and tokenizer; texts get no image tokens. */
  readonly processor: Blip2Processor;
  /** Scores one pair, or every image with every text: `result[image][text]`. */
  match(image: ImageSource, text: string, options?: RetrievalTaskOptions): Promise<MatchScore>;
  match(
    images: readonly ImageSource[],
    texts: readonly string[],
    options?: RetrievalTaskOptions,
  ): Promise<MatchScore[][]>;
  /**
   * Features, one tensor per image, text or pair; see `EmbedPart`. @throws Blip2Error `INVALID_ARGUMENT` without
   * inputs, for a part that they do not have, or other numbers of images and texts.
   */
  embed(inputs: EmbedInputs, options?: EmbedOptions): Promise<Tensor<'float32'>[]>;
  /**
   * Which label fits an image best, without training for them (zero-shot): by ITC, best first. @throws Blip2Error
   * `INVALID_ARGUMENT` without labels, for a template without a place for them, or an impossible temperature.
   */
  classify(image: ImageSource, labels: readonly string[], options?: ClassifyOptions): Promise<LabelScore[]>;
  classify(
    images: readonly ImageSource[],
    labels: readonly string[],
    options?: ClassifyOptions,
  ): Promise<LabelScore[][]>;
  /**
   * Searches in two stages (arXiv 2301.12597, section 4.4): the `topK` nearest by ITC, sorted by ITM. One list per
   * query, best first. @throws Blip2Error `INVALID_ARGUMENT` for an impossible `topK`.
   */
  retrieve(
    images: readonly ImageSource[],
    texts: readonly string[],
    options?: RetrieveOptions,
  ): Promise<RankedCandidate[][]>;
  /** Ends all parts and gives their memory back; what is asked of them after that fails with `DISPOSED`. */
  dispose(): Promise<void>;
}

/**
 * Assembles the tasks from parts; `dispose` of the result ends what `dispose` ends.
 * @throws Blip2Error `SHAPE_MISMATCH` if the Q-Former does not read what the encoder writes.
 */
export function createBlip2Retrieval(parts: RetrievalTaskParts, dispose: () => Promise<void>): Blip2Retrieval {
  expectSeen(parts.visionModel, parts.qformer);
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
    const rows = await matchAll(
      parts,
      isList(images) ? images : [images],
      typeof texts === 'string' ? [texts] : texts,
      options,
    );
    return isList(images) || typeof texts !== 'string' ? rows : only(rows.flat());
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
    const texts = await encodeTexts(parts, labelSentences(labels, options), options);
    const rows = (await encodeImages(parts, isList(images) ? images : [images], options)).map((image) =>
      rankLabels(image, labels, texts, options),
    );
    return isList(images) ? rows : only(rows);
  }
  return {
    processor: parts.processor,
    match,
    embed: (inputs, options = {}) => embedInputs(parts, inputs, options),
    classify,
    async retrieve(images, texts, options = {}) {
      return rankCandidates(
        parts,
        await encodeImages(parts, images, options),
        await encodeTexts(parts, texts, options),
        options,
      );
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
  const encodedTexts = await encodeTexts(parts, texts, options);
  const rows: MatchScore[][] = [];
  for (const image of await encodeImages(parts, images, options)) {
    const pairs = encodedTexts.map((text) => ({ image, text }));
    const scores = await scorePairs(parts, pairs, options);
    rows.push(pairs.map((pair, index) => ({ itm: scores[index]?.probability ?? NaN, itc: cosineOf(pair) })));
  }
  return rows;
}

function isList(images: ImageSource | readonly ImageSource[]): images is readonly ImageSource[] {
  return Array.isArray(images);
}

function only<T>([result]: readonly T[]): T {
  if (result === undefined) throw new Blip2Error('INVALID_ARGUMENT', 'No image given', { where: 'images' });
  return result;
}

/**
 * The processor of a retrieval checkpoint: whatever it says, its texts get no image tokens, for the tasks put the
 * queries in front themselves.
 */
async function retrievalProcessor(folder: string): Promise<Blip2Processor> {
  const { tokenizer, imageProcessor } = await Blip2Processor.fromPretrained(folder);
  return Blip2Processor.create({ tokenizer, imageProcessor });
}

async function fromPretrained(
  source: string,
  options: LoadOptions = {},
): Promise<Blip2Retrieval & { readonly model: Blip2ForImageTextRetrieval }> {
  return openRetrieval(source, options, RETRIEVAL_CONTENT, async (parts) => {
    const [model, processor] = await Promise.all([assembleRetrieval(parts), retrievalProcessor(parts.folder)]);
    return { ...createBlip2Retrieval({ ...model, processor }, model.dispose), model };
  });
}

export const Blip2Retrieval: {
  /**
   * Loads model and processor from a folder in the Hugging Face layout or a hub id. Weights are read when a part is
   * first used.
   * @throws Blip2Error `MISSING_WEIGHT` if any is missing; `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`,
   * `UNSUPPORTED_DEVICE` for options;
   * `MISSING_FILE`, `INVALID_CONFIG`, `INVALID_CHECKPOINT`, `UNSUPPORTED_ARCHITECTURE` for what the source holds (a
   * generation checkpoint too), and `INVALID_TOKENIZER`; of a hub id also `NOT_FOUND`,
   * `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`.
   */
  readonly fromPretrained: typeof fromPretrained;
} = { fromPretrained };
