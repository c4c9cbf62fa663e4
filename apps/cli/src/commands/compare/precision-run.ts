import {
  Blip2ForConditionalGeneration,
  type Blip2Pipeline,
  type LoadOptions,
  resolveSources,
  type VisualPrefix,
} from '@blip2/blip2';
import { expectFinite, type RgbImage } from '@blip2/interfaces';
import { Blip2Processor } from '@blip2/processor';

import type { ModelSource } from '../../model/model-source.ts';
import { processMemory } from '../../model/process-memory.ts';

/** Results of one precision on one image. */
export interface ImageRun {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly encodeMs: number;
  readonly generateMs: number;
  /** Logits at each token of the first precision's caption, given the tokens before it. */
  readonly logits: readonly Float32Array[];
}

export interface PrecisionRun {
  readonly loadMs: number;
  /** Increase of resident memory without mapped files since before loading, after all images. */
  readonly memoryMiB: number;
  readonly images: readonly ImageRun[];
}

export interface RunSettings {
  /** Options of loading, including the precision. */
  readonly load: LoadOptions;
  readonly maxNewTokens: number;
  readonly signal: AbortSignal;
}

/**
 * Captions the images at one precision, then computes the logits for the captions of `first`, token by token. The first
 * precision uses its own captions.
 */
export async function runPrecision(
  source: ModelSource,
  rgbImages: readonly RgbImage[],
  { load, maxNewTokens, signal }: RunSettings,
  first?: readonly ImageRun[],
): Promise<PrecisionRun> {
  const { rssAnonMiB: before } = processMemory();
  const started = performance.now();
  const model = await Blip2ForConditionalGeneration.fromPretrained(source, load);
  try {
    const { images: imageSettings, processor: text } = await resolveSources(source, load);
    const processor = await Blip2Processor.fromPretrained({ images: imageSettings, text });
    const loadMs = performance.now() - started;
    const images: ImageRun[] = [];
    for (const [index, image] of rgbImages.entries()) {
      signal.throwIfAborted();
      const { pixelValues } = await processor.process({ images: [image] });
      const [prefix, encodeMs] = await timed(() => model.encodeImages(pixelValues));
      const [{ sequences }, generateMs] = await timed(() =>
        model.generate({ pixelValues: prefix }, { maxNewTokens, signal }),
      );
      const tokenIds = sequences[0] ?? [];
      const logits = await logitsOf(model.pipeline, prefix, first?.[index]?.tokenIds ?? tokenIds, signal);
      images.push({
        text: processor.decode(tokenIds, { skipSpecialTokens: true }).trim(),
        tokenIds,
        encodeMs,
        generateMs,
        logits,
      });
    }
    return { loadMs, memoryMiB: processMemory().rssAnonMiB - before, images };
  } finally {
    await model.dispose();
  }
}

/** Logits at each of these tokens, with one decoding step per token, as in generation. */
async function logitsOf(
  pipeline: Blip2Pipeline,
  prefix: VisualPrefix,
  tokenIds: readonly number[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  await using decoding = await pipeline.language.start(await pipeline.embedPrompt({ pixelValues: prefix }));
  const logits = [expectFinite('language model', decoding.logits).data.slice()];
  for (const id of tokenIds.slice(0, -1)) {
    signal.throwIfAborted();
    logits.push(expectFinite('language model', await decoding.extend({ ids: [[id]] })).data.slice());
  }
  return logits;
}

async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now();
  const result = await work();
  return [result, performance.now() - started];
}
