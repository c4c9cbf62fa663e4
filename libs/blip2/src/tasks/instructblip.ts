import { InstructBlipConfig } from '@blip2/config';
import { defined, expectFinite, type PatchFeatures } from '@blip2/interfaces';
import { InstructBlipProcessor } from '@blip2/processor';

import { type AdapterSelection, noAdapters } from '../adapters/named-adapters.ts';
import { batchingSettings } from '../batching/batching-options.ts';
import { type BatchingStatus, shareModel } from '../batching/share-model.ts';
import type { ModelSources } from '../checkpoint/model-sources.ts';
import { imagesOf, type KeptImage } from '../images/encoded-image.ts';
import { createInstructedBatch } from '../images/instructed-batch.ts';
import { createCallQueue, type QueueOptions } from '../lifetime/call-queue.ts';
import { buildFrom } from '../lifetime/disposal-stack.ts';
import { assembleInstructBlip } from '../models/instructblip-for-conditional-generation.ts';
import type { PretrainedLoader } from '../models/model-loader.ts';
import { buildUnchanged } from '../parts/build-unchanged.ts';
import { openModelParts } from '../parts/checkpoint-parts.ts';
import { loadInstructProcessor } from '../parts/load-processor.ts';
import { prepareParts } from '../parts/prepare-parts.ts';
import { encodePatches } from '../pipeline/encode-patches.ts';
import {
  createInstructBlipPipeline,
  type InstructBlipParts,
  type InstructBlipPipeline,
} from '../pipeline/instructblip-pipeline.ts';
import { expectTaskParts } from './expect-task-parts.ts';
import { createImageTasks, type ImageTasks, type TaskPrompts } from './image-tasks.ts';
import { bareQuestion, instructChatPrompt } from './prompt-templates.ts';
import type { TaskRun } from './task-run.ts';

/**
 * The tasks of InstructBLIP: those of BLIP-2, with each prompt also passed to the Q-Former. An encoded image has only
 * passed the vision encoder, since the outputs of the Q-Former depend on the prompt.
 */
export interface InstructBlip extends ImageTasks {
  /** The four parts connected, for tensors and ids. */
  readonly pipeline: InstructBlipPipeline;
  /** Image processor and both tokenizers. */
  readonly processor: InstructBlipProcessor;
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
export interface InstructBlipTaskParts extends InstructBlipParts {
  /** From the checkpoint of the language model: it determines the position of images in a prompt. */
  readonly processor: InstructBlipProcessor;
}

/** Bare instructions; the caption prompt is that of the paper (arXiv 2305.06500, appendix E: NoCaps and Flickr30K). */
const PROMPTS: TaskPrompts = {
  caption: 'A short image description:',
  question: bareQuestion,
  chat: instructChatPrompt,
};

/**
 * Builds the tasks from any implementations of the part interfaces. Disposing of the result disposes of the parts; they
 * can also be disposed of one by one.
 * @throws Blip2Error `SHAPE_MISMATCH` if the widths of adjacent parts differ; `INVALID_ARGUMENT` for an invalid
 * `maxWaiting`.
 */
export function createInstructBlip(taskParts: InstructBlipTaskParts, options: QueueOptions = {}): InstructBlip {
  expectTaskParts('createInstructBlip', taskParts);
  const { processor, ...parts } = taskParts;
  const imageTokenIndex = processor.numQueryTokens === undefined ? undefined : processor.imageTokenId;
  const pipeline = createInstructBlipPipeline(parts, { imageTokenIndex });
  const dispose = async (): Promise<void> => pipeline[Symbol.asyncDispose]();
  return createTasks(pipeline, processor, { dispose, queue: createCallQueue(options), batching: options.batching });
}

function createTasks(
  pipeline: InstructBlipPipeline,
  processor: InstructBlipProcessor,
  { dispose, queue, batching, setAdapters = noAdapters }: TaskRun,
): InstructBlip {
  const { vision, qformer, projection } = pipeline;
  const { language, encodePixels, status, clear } = shareModel<PatchFeatures, KeptImage>(
    pipeline.language,
    {
      encode: async (pixelValues, options) =>
        expectFinite('vision encoder', await encodePatches(vision, pixelValues, options)),
      keep: (patches, owner) =>
        imagesOf(
          createInstructedBatch({ language: owner, qformer, projection }, processor.qformerTokenizer, patches),
          patches.dims[0],
        ),
    },
    batchingSettings(batching),
  );
  const tasks = createImageTasks(
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

export const InstructBlip: PretrainedLoader<string | ModelSources, InstructBlip> = {
  fromPretrained: async (source, options = {}) =>
    buildUnchanged(await openModelParts(InstructBlipConfig, source, options), async (parts) => {
      const [model, processor] = await Promise.all([
        // If the processor fails to load, this also disposes of parts that are still being created.
        buildFrom(parts, assembleInstructBlip).then((assembled) => prepareParts(assembled, options, parts.queue)),
        loadInstructProcessor(parts),
      ]);
      const { queue, setAdapters } = parts;
      const { dispose, pipeline } = model;
      return createTasks(pipeline, processor, { dispose, queue, batching: options.batching, setAdapters });
    }),
};
