import { Blip2Error, type ImageSource, type PixelValues, type Tensor } from '@blip2/interfaces';
import { Blip2Processor, expectFloatSettings } from '@blip2/processor';

import { type CheckpointParts, openCheckpointParts } from '../checkpoint-parts.ts';
import type { LoadOptions } from '../load-options.ts';
import type { EmbedPart } from '../retrieval/embed-inputs.ts';
import { batches, type RetrievalTaskOptions } from '../retrieval/encode-inputs.ts';
import { type EitherSpelling, inCamelCase } from './either-spelling.ts';
import { asPipeline, isList, type TaskPipeline } from './task-pipeline.ts';

/** Which features are given. */
export interface ImageFeatureOptions extends RetrievalTaskOptions {
  /**
   * Whose features. `vision`, the default: the encoder's states `[images, 1 + patches, visionHidden]`. `qformer`: the
   * queries' states
   * `[images, queries, hidden]`. `image-proj`, of retrieval checkpoints: the queries in the space of comparison
   * `[images, queries, size]`, each of length 1.
   */
  readonly part?: Extract<EmbedPart, 'vision' | 'qformer' | 'image-proj'>;
  /**
   * One vector per image, `[images, size]`: the reference's `pooler_output`, which `image-proj` has not. Default false.
   */
  readonly pool?: boolean | null;
}

/**
 * Features of images, one row per image, in one tensor, also of one image. Source: `ImageFeatureExtractionPipeline` of
 * transformers.js.
 */
export interface ImageFeatureExtractionPipeline extends TaskPipeline<'image-feature-extraction'> {
  /**
   * @throws Blip2Error `INVALID_ARGUMENT` for a part or a pooling that there is not; `MISSING_WEIGHT` if the checkpoint
   * lacks the part.
   */
  (
    images: ImageSource | readonly ImageSource[],
    options?: EitherSpelling<ImageFeatureOptions>,
  ): Promise<Tensor<'float32'>>;
}

/** Images that go through the model at a time. */
const IMAGE_BATCH = 4;

/** Opens the parts; each is loaded when features of it are first asked for, the language model never. */
export async function loadImageFeatureExtraction(
  source: string,
  options: LoadOptions,
): Promise<ImageFeatureExtractionPipeline> {
  const parts = await openCheckpointParts(source, options);
  const { tokenizer, imageProcessor } = await Blip2Processor.fromPretrained(parts.folder);
  // Whatever the checkpoint says, no text is made here.
  const processor = Blip2Processor.create({ tokenizer, imageProcessor });
  const call = async (
    images: ImageSource | readonly ImageSource[],
    options: EitherSpelling<ImageFeatureOptions> = {},
  ): Promise<Tensor<'float32'>> =>
    extractFeatures(parts, processor, isList(images) ? images : [images], inCamelCase<ImageFeatureOptions>(options));
  return asPipeline(call, 'image-feature-extraction', { processor }, async () => parts[Symbol.asyncDispose]());
}

async function extractFeatures(
  parts: CheckpointParts,
  processor: Blip2Processor,
  images: readonly ImageSource[],
  options: ImageFeatureOptions,
): Promise<Tensor<'float32'>> {
  if (images.length === 0) throw new Blip2Error('INVALID_ARGUMENT', 'No image given', { where: 'images' });
  expectKnown(options);
  expectFloatSettings(processor.imageProcessor.settings);
  const { autoOrient = true, allowUrls = false, signal } = options;
  const rows: Tensor<'float32'>[] = [];
  for (const batch of batches(images, IMAGE_BATCH)) {
    signal?.throwIfAborted();
    const { pixelValues } = await processor.process(
      { images: batch },
      { autoOrient, allowUrls, ...(signal && { signal }) },
    );
    signal?.throwIfAborted();
    rows.push(await featuresOf(parts, pixelValues, options));
  }
  return stacked(rows);
}

const PARTS: Readonly<Record<NonNullable<ImageFeatureOptions['part']>, true>> = {
  vision: true,
  qformer: true,
  'image-proj': true,
};

function expectKnown({ part = 'vision', pool }: ImageFeatureOptions): void {
  if (!Object.hasOwn(PARTS, part))
    throw new Blip2Error('INVALID_ARGUMENT', 'Images have no such part', {
      where: 'part',
      expected: Object.keys(PARTS).join(', '),
      got: String(part),
    });
  if (pool && part === 'image-proj')
    throw new Blip2Error('INVALID_ARGUMENT', 'These features have no pooled form', {
      where: 'pool',
      fix: 'Compare with the best of the queries, as the model was trained to',
    });
}

async function featuresOf(
  parts: CheckpointParts,
  pixelValues: PixelValues,
  { part = 'vision', pool }: ImageFeatureOptions,
): Promise<Tensor<'float32'>> {
  const seen = await (await parts.vision()).forward({ pixelValues });
  if (part === 'vision') return pool ? seen.poolerOutput : seen.lastHiddenState;
  const asked = await (await parts.qformer()).forward({ encoderHiddenStates: seen.lastHiddenState });
  if (part === 'qformer') return pool ? asked.poolerOutput : asked.lastHiddenState;
  return (await parts.visionProjection()).project(asked.lastHiddenState);
}

/** Batches of the same shape, one after another. */
function stacked(batches: readonly Tensor<'float32'>[]): Tensor<'float32'> {
  const [, ...shape] = batches[0]?.dims ?? [];
  const data = new Float32Array(batches.reduce((length, batch) => length + batch.data.length, 0));
  let [at, rows] = [0, 0];
  for (const batch of batches) {
    data.set(batch.data, at);
    at += batch.data.length;
    rows += batch.dims[0] ?? 0;
  }
  return { type: 'float32', dims: [rows, ...shape], data };
}
