import {
  Blip2Error,
  defined,
  expectKnownOptions,
  type ImageSource,
  mustBe,
  type PixelValues,
  stackRows,
  type Tensor,
} from '@blip2/interfaces';
import { Blip2Processor, expectFloatSettings } from '@blip2/processor';
import type { OptionallyPooledOutput } from '@blip2/vision';

import { isImageList, onlyResult } from '../images/image-list.ts';
import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import type { EmbedPart } from '../retrieval/embed-inputs.ts';
import { batches, RETRIEVAL_OPTIONS, type RetrievalTaskOptions } from '../retrieval/encode-retrieval-inputs.ts';
import { type EitherSpelling, inCamelCase } from './either-spelling.ts';
import { asPipeline, type TaskPipeline } from './task-pipeline.ts';

/** Which features to extract. */
export interface ImageFeatureOptions extends RetrievalTaskOptions {
  /**
   * `vision` (default): hidden states of the encoder `[images, 1 + patches, visionHidden]`. `qformer`: query outputs
   * `[images, queries, hidden]`. `image-proj`, retrieval checkpoints only: the queries projected to unit vectors
   * `[images, queries, size]`.
   */
  readonly part?: Extract<EmbedPart, 'vision' | 'qformer' | 'image-proj'>;
  /**
   * Return one vector per image, `[images, size]`: `pooler_output` of Hugging Face Transformers, which `image-proj`
   * does not have. Default: false.
   */
  readonly pool?: boolean | null;
}

/**
 * Extracts features of images into one tensor with one row per image, also for a single image. Source:
 * `ImageFeatureExtractionPipeline` of transformers.js.
 */
export interface ImageFeatureExtractionPipeline extends TaskPipeline<'image-feature-extraction'> {
  /**
   * Extracts the features of one or several images.
   * @throws Blip2Error `INVALID_ARGUMENT` for an unknown part, or for `pool` with `image-proj`; `MISSING_WEIGHT` if the
   * checkpoint lacks the part.
   */
  (
    images: ImageSource | readonly ImageSource[],
    options?: EitherSpelling<ImageFeatureOptions>,
  ): Promise<Tensor<'float32'>>;
}

/** One row per image. */
type Features = Tensor<'float32', readonly [images: number, ...rest: number[]]>;

/** Number of images per run of the model. */
const IMAGE_BATCH = 4;

/** Loads the pipeline `image-feature-extraction`. A part is loaded on first use, the language model never. */
export async function loadImageFeatureExtraction(
  source: string,
  options: LoadOptions,
): Promise<ImageFeatureExtractionPipeline> {
  const parts = await openCheckpointParts(source, options);
  const { tokenizer, imageProcessor } = await Blip2Processor.fromPretrained({
    images: parts.folders.images,
    text: parts.folders.processor,
  });
  // No image tokens, even if the configuration of the checkpoint requests them: there is no text here.
  const processor = Blip2Processor.create({ tokenizer, imageProcessor });
  const call = async (
    images: ImageSource | readonly ImageSource[],
    options: EitherSpelling<ImageFeatureOptions> = {},
  ): Promise<Tensor<'float32'>> =>
    extractFeatures(
      parts,
      processor,
      isImageList(images) ? images : [images],
      inCamelCase<ImageFeatureOptions>(options),
    );
  return asPipeline(call, 'image-feature-extraction', { processor }, async () => parts[Symbol.asyncDispose]());
}

async function extractFeatures(
  parts: CheckpointParts,
  processor: Blip2Processor,
  images: readonly ImageSource[],
  options: ImageFeatureOptions,
): Promise<Tensor<'float32'>> {
  if (images.length === 0) throw new Blip2Error('INVALID_ARGUMENT', 'images must not be empty', { argument: 'images' });
  expectKnownOptions('image-feature-extraction', options, [...RETRIEVAL_OPTIONS, 'part', 'pool']);
  expectFeatures(options);
  expectFloatSettings(processor.imageProcessor.settings);
  const { autoOrient = true, allowUrls = false, signal } = options;
  const rows: Features[] = [];
  for (const batch of batches(images, IMAGE_BATCH)) {
    signal?.throwIfAborted();
    const { pixelValues } = await processor.process(
      { images: batch },
      { autoOrient, allowUrls, ...defined({ signal }) },
    );
    signal?.throwIfAborted();
    rows.push(await featuresOf(parts, pixelValues, options));
  }
  return stackRows([onlyResult(rows), ...rows.slice(1)]);
}

const PARTS: Readonly<Record<NonNullable<ImageFeatureOptions['part']>, true>> = {
  vision: true,
  qformer: true,
  'image-proj': true,
};

function expectFeatures({ part = 'vision', pool }: ImageFeatureOptions): void {
  if (!Object.hasOwn(PARTS, part)) throw mustBe('part', `one of ${Object.keys(PARTS).join(', ')}`, part);
  if (pool && part === 'image-proj')
    throw mustBe('pool', "false for part 'image-proj'", pool, {
      fix: 'Compare with the best query, as the model was trained to',
    });
}

async function featuresOf(
  parts: CheckpointParts,
  pixelValues: PixelValues,
  { part = 'vision', pool }: ImageFeatureOptions,
): Promise<Features> {
  const patches = await (await parts.vision()).forward({ pixelValues });
  if (part === 'vision') return pool ? pooledOf(patches) : patches.lastHiddenState;
  const queries = await (await parts.qformer()).forward({ encoderHiddenStates: patches.lastHiddenState });
  if (part === 'qformer') return pool ? queries.poolerOutput : queries.lastHiddenState;
  return (await parts.visionProjection()).project(queries.lastHiddenState);
}

function pooledOf({ poolerOutput }: OptionallyPooledOutput): Features {
  if (poolerOutput) return poolerOutput;
  throw mustBe('pool', 'false for an encoder without a pooler', true);
}
