import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Blip2 } from '@blip2/blip2';
import { medianOf } from '@blip2/cli';
import type { PrecisionChoice, TokenEmbeddings } from '@blip2/interfaces';

import type { ScalingFile, StepTimes, ThreadTimes } from '../../report/result-files.ts';
import { scalingPlot } from '../../report/scaling-plot.ts';
import { rounded } from '../../report/statistics.ts';
import { programPath, repositoryPath, TIMED_IMAGE } from '../../repository.ts';
import { checkpointFolder } from '../../shapes/checkpoint-folder.ts';
import { lastJsonLine, resultText } from '../json-program.ts';
import { machine, versions } from '../machine.ts';

const IMAGES = [1, 2, 4, 8, 16, 32];
const PROMPTS = [8, 32, 128, 512];
const NEW_TOKENS = [1, 4, 16, 64, 256];
const THREADS = [1, 2];
const CAPTION_TOKENS = 10;
/** Milliseconds above which a point is measured only once. */
const LONG_MS = 1500;
/** Runs of a point, the first of them untimed. */
const RUNS = 4;
/** A token id that is an ordinary word in every vocabulary. */
const WORD_ID = 20;

/** What one process measures. All but `steps` is measured with the most threads only. */
interface Measured extends Partial<Pick<ScalingFile, 'images' | 'prompts' | 'newTokens'>> {
  readonly steps: StepTimes;
}

/**
 * `scaling.js [--shape opt-2.7b] [--dtype fast] [--checkpoint FOLDER] [--out FOLDER]`: how times grow with the number
 * of
 * images per batch, prompt length, new tokens and threads. Writes `scaling-SHAPE.json` and `scaling-SHAPE.svg`. Each
 * point is the median of up to three runs. Each number of threads has a process of its own.
 */
export async function command(args: readonly string[]): Promise<void> {
  const { values: options } = parseArgs({
    args: [...args],
    options: {
      shape: { type: 'string', default: 'opt-2.7b' },
      dtype: { type: 'string', default: 'fast' },
      checkpoint: { type: 'string' },
      out: { type: 'string', default: repositoryPath('tools/benchmarks/results') },
      // For the processes that this one starts.
      threads: { type: 'string' },
    },
  });
  const { shape, dtype, out } = options;
  const folder = checkpointFolder(shape, options.checkpoint);
  if (options.threads !== undefined) {
    console.log(JSON.stringify(await measureThreads(folder, dtype, Number(options.threads))));
    return;
  }
  const measured = THREADS.map((threads) => {
    const own = ['--shape', shape, '--dtype', dtype, '--checkpoint', folder, '--threads', String(threads)];
    return lastJsonLine<Measured>(process.execPath, [programPath('scaling'), ...own], { stderr: 'inherit' });
  });
  const { images = [], prompts = [], newTokens = [] } = measured.at(-1) ?? {};
  const threads = measured.map(({ steps }, index): ThreadTimes => ({ threads: THREADS[index]!, ...steps }));
  const result = {
    shape,
    dtype,
    command: `node tools/benchmarks/bin/scaling.js --shape ${shape} --dtype ${dtype}`,
    machine: machine(),
    versions: versions(),
    captionTokens: CAPTION_TOKENS,
    images,
    prompts,
    newTokens,
    threads,
  };
  writeFileSync(join(out, `scaling-${shape}.json`), resultText(result));
  writeFileSync(join(out, `scaling-${shape}.svg`), scalingPlot(result));
}

async function measureThreads(folder: string, dtype: string, threads: number): Promise<Measured> {
  const blip2 = await Blip2.fromPretrained(folder, { dtype: dtype as PrecisionChoice, threads });
  const image = readFileSync(TIMED_IMAGE);
  await blip2.caption(image, captionOf(2));
  const steps = await measureSteps(blip2, image);
  const isLast = threads === THREADS.at(-1);
  const rest = isLast
    ? {
        images: await measureImages(blip2, image),
        prompts: await measurePrompts(blip2, image),
        newTokens: await measureNewTokens(blip2, image),
      }
    : {};
  await blip2.dispose();
  return { steps, ...rest };
}

async function measureSteps(blip2: Blip2, image: Buffer): Promise<StepTimes> {
  const { pixelValues } = await blip2.processor.process({ images: image });
  const prefix = await blip2.pipeline.encodeImages(pixelValues);
  return {
    encodeMs: await medianMs(() => blip2.pipeline.encodeImages(pixelValues)),
    prefillMs: await medianMs(() => prefill(blip2, prefix)),
    captionMs: await medianMs(() => blip2.caption(image, captionOf(CAPTION_TOKENS))),
  };
}

async function measureImages(blip2: Blip2, image: Buffer): Promise<ScalingFile['images']> {
  return measureEach(IMAGES, async (images) => {
    const copies = Array.from({ length: images }, () => Buffer.from(image));
    const captionsMs = await medianMs(() => blip2.caption(copies, captionOf(CAPTION_TOKENS)));
    return { images, captionsMs, captionsPerSecond: rounded((1000 * images) / captionsMs) };
  });
}

async function measurePrompts(blip2: Blip2, image: Buffer): Promise<ScalingFile['prompts']> {
  const { pixelValues } = await blip2.processor.process({ images: image });
  const prefix = await blip2.pipeline.encodeImages(pixelValues);
  return measureEach(PROMPTS, async (words) => ({
    words,
    positions: prefix.dims[1] + words,
    prefillMs: await medianMs(() => prefill(blip2, prefix, words)),
  }));
}

async function measureNewTokens(blip2: Blip2, image: Buffer): Promise<ScalingFile['newTokens']> {
  const encoded = await blip2.encode(image);
  const points = await measureEach(NEW_TOKENS, async (newTokens) => ({
    newTokens,
    writingMs: await medianMs(() => blip2.caption(encoded, captionOf(newTokens))),
  }));
  await encoded[Symbol.asyncDispose]();
  return points;
}

/** Measures one point per size, and prints each. */
async function measureEach<T>(sizes: readonly number[], measure: (size: number) => Promise<T>): Promise<T[]> {
  const points: T[] = [];
  for (const size of sizes) {
    const point = await measure(size);
    points.push(point);
    console.error(JSON.stringify(point));
  }
  return points;
}

/** Prefills the visual prefix and `words` tokens after it; without a number, the model's default prompt. */
async function prefill({ pipeline, processor }: Blip2, prefix: TokenEmbeddings, words?: number): Promise<void> {
  const imageIds = Array.from({ length: prefix.dims[1] }, () => processor.imageTokenId ?? NaN);
  const ids = words === undefined ? {} : { inputIds: [[...imageIds, ...Array.from({ length: words }, () => WORD_ID)]] };
  const decoding = await pipeline.language.start(await pipeline.embedPrompt({ pixelValues: prefix, ...ids }));
  await decoding[Symbol.asyncDispose]();
}

function captionOf(newTokens: number): { minNewTokens: number; maxNewTokens: number } {
  return { minNewTokens: newTokens, maxNewTokens: newTokens };
}

/** The first run is discarded, unless it is the only one because it took long. */
async function medianMs(work: () => PromiseLike<unknown>): Promise<number> {
  const times: number[] = [];
  while (times.length < RUNS && (times[0] ?? 0) < LONG_MS) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return rounded(medianOf(times.length > 1 ? times.slice(1) : times));
}
