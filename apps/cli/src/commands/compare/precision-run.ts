import { readFile } from 'node:fs/promises';

import { Blip2ForConditionalGeneration, type Blip2Pipeline, type LoadOptions, type VisualPrefix } from '@blip2/blip2';
import type { RgbImage } from '@blip2/interfaces';
import { Blip2Processor } from '@blip2/processor';

/** What one precision said of one image. */
export interface ImageRun {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly encodeMs: number;
  readonly generateMs: number;
  /** Scores before each token of the first precision's caption, when these tokens are written. */
  readonly logits: readonly Float32Array[];
}

export interface PrecisionRun {
  readonly loadMs: number;
  /**
   * Memory of the process beyond mapped files, more than before loading, after all images. Where the system does not
   * tell, all resident memory.
   */
  readonly memoryMiB: number;
  readonly images: readonly ImageRun[];
}

export interface RunSettings {
  /** The precision among them. */
  readonly load: LoadOptions;
  readonly maxNewTokens: number;
  readonly signal: AbortSignal;
}

/**
 * Captions the images at one precision, then writes the captions of the `reference` token by token and keeps the
 * scores; its own if it is the first.
 */
export async function runPrecision(
  folder: string,
  rgbImages: readonly RgbImage[],
  { load, maxNewTokens, signal }: RunSettings,
  reference?: readonly ImageRun[],
): Promise<PrecisionRun> {
  const before = await memoryMiB();
  const started = performance.now();
  const model = await Blip2ForConditionalGeneration.fromPretrained(folder, load);
  try {
    const processor = await Blip2Processor.fromPretrained(folder);
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
      const logits = await scoresOf(model.pipeline, prefix, reference?.[index]?.tokenIds ?? tokenIds, signal);
      images.push({
        text: processor.decode(tokenIds, { skipSpecialTokens: true }).trim(),
        tokenIds,
        encodeMs,
        generateMs,
        logits,
      });
    }
    return { loadMs, memoryMiB: (await memoryMiB()) - before, images };
  } finally {
    await model.dispose();
  }
}

/** Scores before each of these tokens, one step per token as generation does it. */
async function scoresOf(
  pipeline: Blip2Pipeline,
  prefix: VisualPrefix,
  tokenIds: readonly number[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  await using decoding = await pipeline.language.start(await pipeline.embedPrompt({ pixelValues: prefix }));
  const scores = [decoding.logits.data.slice()];
  for (const id of tokenIds.slice(0, -1)) {
    signal.throwIfAborted();
    scores.push((await decoding.extend({ ids: [[id]] })).data.slice());
  }
  return scores;
}

async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const started = performance.now();
  const result = await work();
  return [result, performance.now() - started];
}

/** Mapped weights belong to the file cache and are given back when memory is short, so they do not count. */
async function memoryMiB(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const anonymous = /^RssAnon:\s+(\d+) kB/m.exec(status)?.[1];
  return anonymous === undefined ? process.memoryUsage().rss / 2 ** 20 : Number(anonymous) / 2 ** 10;
}
