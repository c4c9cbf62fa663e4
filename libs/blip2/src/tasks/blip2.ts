import { defined } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

import { type AdapterSelection, noAdapters } from '../adapters/named-adapters.ts';
import { batchingSettings } from '../batching/batching-options.ts';
import { type BatchingStatus, shareModel } from '../batching/share-model.ts';
import type { ModelSources } from '../checkpoint/model-sources.ts';
import { createEncodedImages, type EncodedImage } from '../images/encoded-image.ts';
import { createCallQueue, type QueueOptions } from '../lifetime/call-queue.ts';
import { buildFrom } from '../lifetime/disposal-stack.ts';
import { assembleBlip2 } from '../models/blip2-for-conditional-generation.ts';
import type { PretrainedLoader } from '../models/model-loader.ts';
import { buildUnchanged } from '../parts/build-unchanged.ts';
import { openCheckpointParts } from '../parts/checkpoint-parts.ts';
import { loadProcessor } from '../parts/load-processor.ts';
import { prepareParts } from '../parts/prepare-parts.ts';
import { type Blip2Parts, type Blip2Pipeline, createPipeline } from '../pipeline/blip2-pipeline.ts';
import type { VisualPrefix } from '../pipeline/merge-prompt.ts';
import { expectTaskParts } from './expect-task-parts.ts';
import { createImageTasks, type ImageTasks, type TaskPrompts } from './image-tasks.ts';
import { chatPrompt, questionPrompt } from './prompt-templates.ts';
import type { TaskRun } from './task-run.ts';

/** The tasks of BLIP-2: images in, text out. */
export interface Blip2 extends ImageTasks<EncodedImage> {
  /** The four parts connected, for tensors and ids. */
  readonly pipeline: Blip2Pipeline;
  /** Image processor and tokenizer. */
  readonly processor: Blip2Processor;
  /**
   * Applies other adapters, by the names under which they were loaded; null for none. Only parts whose adapters change
   * are loaded again. Images that were encoded before keep their features; conversations have to be started again.
   * @throws Blip2Error `INVALID_ARGUMENT` for other names; `DISPOSED`; `MODEL_CHANGED`.
   */
  setAdapters(names: AdapterSelection): Promise<void>;
  /** What calls share, if the model was created with `batching`. */
  readonly batching?: BatchingStatus;
}

/** The parts and the processor that the tasks run on. */
export interface Blip2TaskParts extends Blip2Parts {
  /** From the checkpoint of the language model: it determines the position of images in a prompt. */
  readonly processor: Blip2Processor;
}

/** The prompts of the paper; an image without a question is described. */
const PROMPTS: TaskPrompts = { caption: undefined, question: questionPrompt, chat: chatPrompt };

/**
 * Builds the tasks from any implementations of the part interfaces. Disposing of the result disposes of the parts; they
 * can also be disposed of one by one.
 * @throws Blip2Error `SHAPE_MISMATCH` if the widths of adjacent parts differ; `INVALID_ARGUMENT` for an invalid
 * `maxWaiting`.
 */
export function createBlip2(taskParts: Blip2TaskParts, options: QueueOptions = {}): Blip2 {
  expectTaskParts('createBlip2', taskParts);
  const { processor, ...parts } = taskParts;
  // Image features replace the image tokens of the processor, or precede the text if it inserts none.
  const imageTokenIndex = processor.numQueryTokens === undefined ? undefined : processor.imageTokenId;
  const pipeline = createPipeline(parts, { imageTokenIndex });
  const dispose = async (): Promise<void> => pipeline[Symbol.asyncDispose]();
  return createTasks(pipeline, processor, { dispose, queue: createCallQueue(options), batching: options.batching });
}

function createTasks(
  pipeline: Blip2Pipeline,
  processor: Blip2Processor,
  { dispose, queue, batching, setAdapters = noAdapters }: TaskRun,
): Blip2 {
  const { language, encodePixels, status, clear } = shareModel<VisualPrefix, EncodedImage>(
    pipeline.language,
    {
      encode: (pixelValues, options) => pipeline.encodeImages(pixelValues, options),
      keep: (prefix, owner) => createEncodedImages({ language: owner }, prefix),
    },
    batchingSettings(batching),
  );
  const tasks = createImageTasks<EncodedImage>(
    {
      pipeline: { language, embedPrompt: pipeline.embedPrompt },
      processor,
      encodePixels,
      isBatched: status !== undefined,
    },
    PROMPTS,
    dispose,
    queue,
  );
  return {
    ...tasks,
    pipeline,
    processor,
    async setAdapters(names) {
      await setAdapters(names);
      await clear();
    },
    ...defined({ batching: status }),
  };
}

export const Blip2: PretrainedLoader<string | ModelSources, Blip2> = {
  fromPretrained: async (source, options = {}) =>
    buildUnchanged(await openCheckpointParts(source, options), async (parts) => {
      const [model, processor] = await Promise.all([
        // If the processor fails to load, this also disposes of parts that are still being created.
        buildFrom(parts, assembleBlip2).then((assembled) => prepareParts(assembled, options, parts.queue)),
        loadProcessor(parts),
      ]);
      const { queue, setAdapters } = parts;
      const { dispose, pipeline } = model;
      return createTasks(pipeline, processor, { dispose, queue, batching: options.batching, setAdapters });
    }),
};
