import { defined, expectKnownOptions, mustBe, nearestName } from '@blip2/interfaces';
import { LOAD_REPLACEMENTS } from '@blip2/part';

import { LOAD_OPTIONS, type LoadOptions } from '../parts/load-options.ts';
import { inCamelCase } from './either-spelling.ts';
import { type ImageFeatureExtractionPipeline, loadImageFeatureExtraction } from './image-feature-extraction.ts';
import { type ImageToTextPipeline, loadImageToText } from './image-to-text.ts';
import type { PipelineOptions } from './task-pipeline.ts';
import { loadVisualQuestionAnswering, type VisualQuestionAnsweringPipeline } from './visual-question-answering.ts';
import {
  loadZeroShotImageClassification,
  type ZeroShotImageClassificationPipeline,
} from './zero-shot-image-classification.ts';

/** The pipeline of each task. */
export interface TaskPipelines {
  /** Captions, with a generation checkpoint. */
  readonly 'image-to-text': ImageToTextPipeline;
  /** Answers, with a generation checkpoint. */
  readonly 'visual-question-answering': VisualQuestionAnsweringPipeline;
  /** Features of images, with any checkpoint. */
  readonly 'image-feature-extraction': ImageFeatureExtractionPipeline;
  /** Labels, with a retrieval checkpoint. */
  readonly 'zero-shot-image-classification': ZeroShotImageClassificationPipeline;
}

/** The name of a task of `pipeline`. */
export type PipelineTask = keyof TaskPipelines;

/** The loader of each task. */
const LOADERS: {
  readonly [Task in PipelineTask]: (source: string, options: LoadOptions) => Promise<TaskPipelines[Task]>;
} = {
  'image-to-text': loadImageToText,
  'visual-question-answering': loadVisualQuestionAnswering,
  'image-feature-extraction': loadImageFeatureExtraction,
  'zero-shot-image-classification': loadZeroShotImageClassification,
};

/**
 * Loads a model for one task, with the interface of transformers.js: `pipeline('image-to-text', model)` returns a
 * function of images whose results have the keys of transformers.js. An image yields one result, a list of images a
 * list of results.
 * @param source A folder in the Hugging Face layout or a Hub id; there is no default model.
 * @throws Blip2Error `INVALID_ARGUMENT` for an unknown task; `UNKNOWN_OPTION` for options of transformers.js that do
 * not
 * exist here; the codes of `fromPretrained`.
 */
export async function pipeline<Task extends PipelineTask>(
  task: Task,
  source: string,
  options: PipelineOptions = {},
): Promise<TaskPipelines[Task]> {
  const tasks = Object.keys(LOADERS);
  if (!Object.hasOwn(LOADERS, task)) {
    const nearest = nearestName(String(task), tasks);
    const fix = nearest === undefined ? undefined : `Did you mean ${nearest}?`;
    throw mustBe('task', `one of ${tasks.join(', ')}`, task, defined({ fix }));
  }
  if (typeof source !== 'string' || source === '') {
    throw mustBe('source', 'a folder or a Hub id such as Salesforce/blip2-flan-t5-xl', source);
  }
  const loadOptions = inCamelCase<LoadOptions>(options);
  expectKnownOptions('pipeline', loadOptions, LOAD_OPTIONS, LOAD_REPLACEMENTS);
  return LOADERS[task](source, loadOptions);
}
