import { InstructBlipConfig } from '@blip2/config';
import { expectInputs, expectKnownOptions, mustBe, type Tensor } from '@blip2/interfaces';
import { BlipImageProcessor, InstructBlipProcessor, Tokenizer } from '@blip2/processor';

import { resolvePart } from '../adapters/resolved-model.ts';
import { expectSources, type ModelSources } from '../checkpoint/model-sources.ts';
import { expectTexts, isImageList } from '../images/image-list.ts';
import { expectImageOptions } from '../images/task-images.ts';
import { type CallQueue, createCallQueue } from '../lifetime/call-queue.ts';
import { lazyPromise } from '../lifetime/lazy-promise.ts';
import type { PretrainedLoader } from '../models/model-loader.ts';
import { expectOptions, openCheckpointParts, openModelParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { loadProcessor } from '../parts/load-processor.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import type { EmbedInputs } from '../retrieval/embed-inputs.ts';
import { RETRIEVAL_OPTIONS } from '../retrieval/encode-retrieval-inputs.ts';
import {
  choosePart,
  type FeatureKind,
  type FeatureOptions,
  type FeaturePart,
  type FeatureParts,
  featureParts,
} from './feature-parts.ts';
import { readFeatureKind } from './feature-source.ts';
import type { Extract } from './feature-tools.ts';
import { generationFeatures } from './generation-features.ts';
import { instructFeatures } from './instruct-features.ts';
import { languageFeatures } from './language-features.ts';
import { openPart } from './open-part.ts';
import { retrievalFeatures } from './retrieval-features.ts';
import { visionFeatures } from './vision-features.ts';

/**
 * The features of any checkpoint: BLIP-2 for generation or retrieval, InstructBLIP, a vision encoder alone or a
 * language model alone.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE`, `DOWNLOAD_FAILED` for an
 * image; `SEQUENCE_TOO_LONG` for a text; `NOT_FINITE` if a part returns NaN or infinity; `DISPOSED`.
 */
export interface Blip2Features extends AsyncDisposable {
  readonly kind: FeatureKind;
  /** The parts with features of images, of texts, and of images with a text each; the default first. */
  readonly parts: FeatureParts;
  /** Of checkpoints with a vision encoder. */
  readonly imageProcessor: BlipImageProcessor | undefined;
  /**
   * One tensor per image, text or pair. With images, the `i`-th text belongs to the `i`-th image.
   * @throws Blip2Error also `INVALID_ARGUMENT` without inputs, for a part or a layer that the checkpoint does not have,
   * or for pairs with different numbers of images and texts.
   */
  embed(inputs: EmbedInputs, options?: FeatureOptions): Promise<Tensor<'float32'>[]>;
  /** Disposes of all parts; later calls fail with `DISPOSED`. */
  dispose(): Promise<void>;
}

/** What one kind of checkpoint supplies. */
interface Opened {
  readonly extract: Extract;
  readonly imageProcessor?: BlipImageProcessor;
  readonly queue: CallQueue;
  dispose(): Promise<void>;
}

async function open(kind: FeatureKind, source: string | ModelSources, options: LoadOptions): Promise<Opened> {
  if (kind === 'vision' || kind === 'language') {
    if (typeof source !== 'string')
      throw mustBe('qformer', 'a source with a Q-Former', source.qformer, { fix: 'Pass the folder of the part alone' });
    return kind === 'vision' ? openVision(source, options) : openLanguage(source, options);
  }
  if (kind === 'retrieval') {
    const retrieval = await Blip2Retrieval.fromPretrained(source, options);
    const { imageProcessor } = retrieval.processor;
    const queue = createCallQueue({});
    return { extract: retrievalFeatures(retrieval), imageProcessor, queue, dispose: () => retrieval.dispose() };
  }
  return kind === 'instruct' ? openInstruct(source, options) : openGeneration(source, options);
}

async function openVision(folder: string, options: LoadOptions): Promise<Opened> {
  const imageProcessor = await BlipImageProcessor.fromPretrained(folder);
  const { part, dispose } = await openPart('loadVision', folder, options);
  const extract = visionFeatures({ imageProcessor, vision: () => Promise.resolve(part) });
  return { extract, imageProcessor, queue: createCallQueue(options), dispose };
}

async function openLanguage(folder: string, options: LoadOptions): Promise<Opened> {
  const tokenizer = await Tokenizer.fromPretrained(folder);
  const { part, dispose } = await openPart('loadLanguageModel', folder, options);
  const extract = languageFeatures({
    tokenizer: () => Promise.resolve(tokenizer),
    language: () => Promise.resolve(part),
  });
  return { extract, queue: createCallQueue(options), dispose };
}

async function openGeneration(source: string | ModelSources, options: LoadOptions): Promise<Opened> {
  const parts = await openCheckpointParts(source, options);
  const imageProcessor = await BlipImageProcessor.fromPretrained(parts.folders.images);
  const processor = lazyPromise(() => loadProcessor(parts));
  const { queue } = parts;
  const extract = generationFeatures({ parts, imageProcessor, processor });
  return { extract, imageProcessor, queue, dispose: async () => parts[Symbol.asyncDispose]() };
}

async function openInstruct(source: string | ModelSources, options: LoadOptions): Promise<Opened> {
  const parts = await openModelParts(InstructBlipConfig, source, options);
  const { images, processor: text } = parts.folders;
  const imageProcessor = await BlipImageProcessor.fromPretrained(images);
  const processor = lazyPromise(() => InstructBlipProcessor.fromPretrained({ images, text }));
  const { queue } = parts;
  const extract = instructFeatures({ parts, imageProcessor, processor });
  return { extract, imageProcessor, queue, dispose: async () => parts[Symbol.asyncDispose]() };
}

async function fromPretrained(source: string | ModelSources, options: LoadOptions = {}): Promise<Blip2Features> {
  await expectOptions(options);
  // The Q-Former's source has the configuration.
  expectSources(source);
  const { folder, adapters } = await resolvePart(typeof source === 'string' ? source : source.qformer, options);
  const kind = await readFeatureKind(folder);
  const opened =
    typeof source === 'string' ? await open(kind, folder, { ...options, adapters }) : await open(kind, source, options);
  const { extract, imageProcessor, queue, dispose } = opened;
  return {
    kind,
    parts: featureParts(kind),
    imageProcessor,
    async embed(inputs, options = {}) {
      const part = expectArguments(kind, inputs, options);
      const { part: _, layer, ...reading } = options;
      const isList = (inputs.images ?? inputs.text ?? []).length > 1;
      return queue.run({ isList, signal: options.signal }, async (enter) => {
        await enter();
        return extract(inputs, { ...reading, part, layer });
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function expectArguments(kind: FeatureKind, inputs: EmbedInputs, options: FeatureOptions): FeaturePart {
  expectInputs('embed', inputs, ['images', 'text']);
  expectKnownOptions('embed', options, [...RETRIEVAL_OPTIONS, 'part', 'layer']);
  const { part: _, layer, ...imageOptions } = options;
  expectImageOptions(imageOptions);
  const { images, text } = inputs;
  if (images && !isImageList(images)) throw mustBe('images', 'a list of images', images);
  if (text) expectTexts('text', text);
  if (!images && !text) throw mustBe('inputs', 'images, text or both', inputs);
  if (images && text && images.length !== text.length)
    throw mustBe('text', `one text per image (${images.length})`, text.length);
  if (layer !== undefined && !Number.isInteger(layer)) throw mustBe('layer', 'an integer', layer);
  return choosePart(kind, inputs, options);
}

/** Loads the features of a checkpoint. */
export const Blip2Features: PretrainedLoader<string | ModelSources, Blip2Features> = { fromPretrained };
