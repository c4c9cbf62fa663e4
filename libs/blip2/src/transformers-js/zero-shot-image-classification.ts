import type { ImageSource } from '@blip2/interfaces';

import type { LoadOptions } from '../parts/load-options.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import type { ClassifyOptions } from '../retrieval/classify-images.ts';
import { type EitherSpelling, inCamelCase } from './either-spelling.ts';
import { asPipeline, isList, type TaskPipeline } from './task-pipeline.ts';

/** How labels are put and weighed. */
export interface ZeroShotOptions extends Omit<ClassifyOptions, 'template'> {
  /** Sentence with `{}` in the place of the label. Default `This is a photo of {}`, that of transformers.js. */
  readonly hypothesisTemplate?: string;
}

/** The labels of one image, best first. */
export type ZeroShotImageClassificationOutput = {
  readonly label: string;
  /** Softmax over the labels, in [0, 1]. */
  readonly score: number;
}[];

/**
 * Which of some labels fits an image, with a retrieval checkpoint. Source: `ZeroShotImageClassificationPipeline` of
 * transformers.js.
 */
export interface ZeroShotImageClassificationPipeline extends TaskPipeline<'zero-shot-image-classification'> {
  /** @throws Blip2Error `INVALID_ARGUMENT` without labels, or if the template has no place for them. */
  (
    images: ImageSource,
    candidateLabels: readonly string[],
    options?: EitherSpelling<ZeroShotOptions>,
  ): Promise<ZeroShotImageClassificationOutput>;
  /** One list for each image. */
  (
    images: readonly ImageSource[],
    candidateLabels: readonly string[],
    options?: EitherSpelling<ZeroShotOptions>,
  ): Promise<ZeroShotImageClassificationOutput[]>;
  /** The tasks behind it, for what else they do: matching, search, features of texts. */
  readonly model: Blip2Retrieval;
}

const DEFAULT_TEMPLATE = 'This is a photo of {}';

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
    const { hypothesisTemplate: template = DEFAULT_TEMPLATE, ...rest } = inCamelCase<ZeroShotOptions>(options);
    const rows = await model.classify(isList(images) ? images : [images], labels, { ...rest, template });
    const outputs = rows.map((row) => row.map(({ label, probability }) => ({ label, score: probability })));
    return isList(images) ? outputs : outputs.flat();
  }
  return asPipeline(call, 'zero-shot-image-classification', { model, processor: model.processor }, model.dispose);
}
