import { Blip2Error, nearestName } from '@blip2/interfaces';

import type { LoadOptions } from '../parts/load-options.ts';
import { inCamelCase } from './either-spelling.ts';
import { type ImageFeatureExtractionPipeline, loadImageFeatureExtraction } from './image-feature-extraction.ts';
import { type ImageToTextPipeline, loadImageToText } from './image-to-text.ts';
import type { PipelineOptions } from './task-pipeline.ts';
import { loadVisualQuestionAnswering, type VisualQuestionAnsweringPipeline } from './visual-question-answering.ts';
import {
  loadZeroShotImageClassification,
  type ZeroShotImageClassificationPipeline,
} from './zero-shot-image-classification.ts';

/** What `pipeline` gives for each name of a task. */
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

/** Name of a task of `pipeline`. */
export type PipelineTask = keyof TaskPipelines;

const LOADERS: {
  readonly [Task in PipelineTask]: (source: string, options: LoadOptions) => Promise<TaskPipelines[Task]>;
} = {
  'image-to-text': loadImageToText,
  'visual-question-answering': loadVisualQuestionAnswering,
  'image-feature-extraction': loadImageFeatureExtraction,
  'zero-shot-image-classification': loadZeroShotImageClassification,
};

/** Options of transformers.js that have no place here, and what to use. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  progressCallback: 'Use onProgress, which hears { stage, file, loaded, total }',
  sessionOptions: 'Use threads, device and isolate',
  modelFileName: 'Leave it out: weights are read from the safetensors of the checkpoint',
  useExternalDataFormat: 'Leave it out: weights are read from the safetensors of the checkpoint',
  subfolder: 'Name the folder that holds config.json',
  config: "Leave it out: config.json is read, and another one is for fromConfig of the model's class",
};

/**
 * Loads a model for one task, called as in transformers.js: `pipeline('image-to-text', model)` gives a function of
 * images whose results have transformers.js's
 * keys. One image gives its result, a list a list of results. `source`: a folder in the Hugging Face layout, or an id
 * of the hub; there is no default.
 * @throws Blip2Error `INVALID_ARGUMENT` for a task that there is not, `UNKNOWN_OPTION` for options of transformers.js
 * that have no place here, and as `fromPretrained` does.
 */
export async function pipeline<Task extends PipelineTask>(
  task: Task,
  source: string,
  options: PipelineOptions = {},
): Promise<TaskPipelines[Task]> {
  const tasks = Object.keys(LOADERS);
  if (!Object.hasOwn(LOADERS, task)) {
    const nearest = nearestName(String(task), tasks);
    throw new Blip2Error('INVALID_ARGUMENT', 'BLIP-2 has no such task', {
      where: 'task',
      expected: tasks.join(', '),
      got: String(task),
      ...(nearest !== undefined && { fix: `Did you mean ${nearest}?` }),
    });
  }
  if (typeof source !== 'string' || source === '') {
    throw new Blip2Error('INVALID_ARGUMENT', 'No model named', {
      where: 'source',
      expected: 'a folder, or an id of the hub such as Salesforce/blip2-flan-t5-xl',
    });
  }
  const loadOptions = inCamelCase<LoadOptions>(options);
  for (const [name, fix] of Object.entries(ELSEWHERE)) {
    if (name in loadOptions) throw new Blip2Error('UNKNOWN_OPTION', 'There is no such option', { where: name, fix });
  }
  return LOADERS[task](source, loadOptions);
}
