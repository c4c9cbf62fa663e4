import { expectKnownOptions, type ImageSource } from '@blip2/interfaces';

import { isImageList } from '../images/image-list.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import type { ClassifyOptions } from '../retrieval/classify-images.ts';
import { RETRIEVAL_OPTIONS } from '../retrieval/encode-retrieval-inputs.ts';
import { type EitherSpelling, inCamelCase } from './either-spelling.ts';
import { asPipeline, type TaskPipeline } from './task-pipeline.ts';

/** How labels are compared with an image. */
export interface ZeroShotOptions extends Omit<ClassifyOptions, 'template'> {
  /** Sentence with `{}` for the label. Default: `This is a photo of {}`, as in transformers.js. */
  readonly hypothesisTemplate?: string;
}

/** The labels of one image, best first. */
export type ZeroShotImageClassificationOutput = {
  readonly label: string;
  /** Softmax over the labels, in [0, 1]. */
  readonly score: number;
}[];

/**
 * Classifies images by candidate labels, with a retrieval checkpoint. Source: `ZeroShotImageClassificationPipeline` of
 * transformers.js.
 */
export interface ZeroShotImageClassificationPipeline extends TaskPipeline<'zero-shot-image-classification'> {
  /**
   * Classifies one image.
   * @throws Blip2Error `INVALID_ARGUMENT` without labels, or for a template without `{}`.
   */
  (
    images: ImageSource,
    candidateLabels: readonly string[],
    options?: EitherSpelling<ZeroShotOptions>,
  ): Promise<ZeroShotImageClassificationOutput>;
  /** Classifies several images: one list per image. */
  (
    images: readonly ImageSource[],
    candidateLabels: readonly string[],
    options?: EitherSpelling<ZeroShotOptions>,
  ): Promise<ZeroShotImageClassificationOutput[]>;
  /** The tasks of the model, for matching, search and features of texts. */
  readonly model: Blip2Retrieval;
}

const DEFAULT_TEMPLATE = 'This is a photo of {}';

/** Loads the pipeline `zero-shot-image-classification`. */
export async function loadZeroShotImageClassification(
  source: string,
  options: LoadOptions,
): Promise<ZeroShotImageClassificationPipeline> {
  const model = await Blip2Retrieval.fromPretrained(source, options);

  function call(
    images: ImageSource,
    labels: readonly string[],
    options?: EitherSpelling<ZeroShotOptions>,
  ): Promise<ZeroShotImageClassificationOutput>;
  function call(
    images: readonly ImageSource[],
    labels: readonly string[],
    options?: EitherSpelling<ZeroShotOptions>,
  ): Promise<ZeroShotImageClassificationOutput[]>;
  async function call(
    images: ImageSource | readonly ImageSource[],
    labels: readonly string[],
    options: EitherSpelling<ZeroShotOptions> = {},
  ): Promise<ZeroShotImageClassificationOutput | ZeroShotImageClassificationOutput[]> {
    const camelCase = inCamelCase<ZeroShotOptions>(options);
    expectKnownOptions('zero-shot-image-classification', camelCase, [
      ...RETRIEVAL_OPTIONS,
      'temperature',
      'hypothesisTemplate',
    ]);
    const { hypothesisTemplate: template = DEFAULT_TEMPLATE, ...rest } = camelCase;
    const rows = await model.classify(isImageList(images) ? images : [images], labels, { ...rest, template });
    const outputs = rows.map((row) => row.map(({ label, probability }) => ({ label, score: probability })));
    return isImageList(images) ? outputs : outputs.flat();
  }
  return asPipeline(call, 'zero-shot-image-classification', { model, processor: model.processor }, model.dispose);
}
