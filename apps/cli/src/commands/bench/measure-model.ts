import { readFile } from 'node:fs/promises';

import { Blip2, type LoadOptions } from '@blip2/blip2';

import { type ProcessMemory, processMemory } from '../../model/process-memory.ts';
import { importFamilies } from '../../module/import-module.ts';
import { DEFAULT_ISOLATE } from '../../options/common-options.ts';
import { dtypeOption } from '../../options/dtype.ts';
import type { BenchJob, BenchResult, BenchSamples } from './bench-job.ts';
import { medianOf } from './bench-report.ts';
import { distinctImages } from './distinct-images.ts';
import { untilStable } from './warm-up.ts';

const BEAMS = 5;
const BATCH = 8;
/** Captions and repeated runs of many rows after which the times count as stable in any case. */
const WARM_UP_CAPTIONS = 11;
const WARM_UP_RUNS = 4;

/** Loads a model and measures it. Must be the only work of its process: the first caption is timed from its start. */
export async function measureModel(
  { model, adapters, module, image: file, dtype, threads, isolate = DEFAULT_ISOLATE, rounds, newTokens }: BenchJob,
  onProgress: NonNullable<LoadOptions['onProgress']>,
): Promise<BenchResult> {
  await importFamilies(module);
  const conversion = watchConversion(onProgress);
  const image = await readFile(file);
  const started = performance.now();
  await using blip2 = await Blip2.fromPretrained(model, {
    ...dtypeOption(dtype),
    isolate,
    adapters,
    ...(threads !== undefined && { threads }),
    onProgress: conversion.onProgress,
  });
  const loaded = performance.now();
  const generation = { minNewTokens: newTokens, maxNewTokens: newTokens };
  const caption = (): Promise<unknown> => Promise.resolve(blip2.caption(image, generation));
  // Weights are converted, mapped and read from disk on first use.
  await caption();
  const firstCaptionMs = performance.now();
  const convertMs = conversion.milliseconds();
  if (convertMs > 0) return { convertMs };

  const warmUp = await untilStable(() => timed(caption), WARM_UP_CAPTIONS);
  const steps = await repeat(rounds, async () => ({
    captionMs: await timed(caption),
    ...(await timeSteps(blip2, image, newTokens)),
  }));
  const memory = processMemory();
  const captionMs = steps.map((step) => step.captionMs);
  return {
    samples: {
      loadMs: [Math.max(loaded - started, firstCaptionMs - started - medianOf(captionMs))],
      firstCaptionMs: [firstCaptionMs],
      secondCaptionMs: warmUp.slice(0, 1),
      warmUpCaptions: [1 + warmUp.length],
      ...samplesOf(steps, captionMs, memory),
      ...(await timeManyRows(blip2, image, rounds, newTokens)),
      batchPeakMiB: [processMemory().peakMiB],
    },
  };
}

/** Measures the time of a conversion by its progress events. */
function watchConversion(onProgress: NonNullable<LoadOptions['onProgress']>): {
  readonly onProgress: NonNullable<LoadOptions['onProgress']>;
  milliseconds(): number;
} {
  const started = performance.now();
  let last = started;
  return {
    onProgress(progress) {
      if (progress.stage === 'convert') last = performance.now();
      onProgress(progress);
    },
    milliseconds: () => last - started,
  };
}

interface Steps {
  readonly visionMs: number;
  readonly qformerMs: number;
  readonly prefillMs: number;
  readonly tokenMs: readonly number[];
}

/** Times one caption step by step, through the parts of the pipeline. */
async function timeSteps({ pipeline, processor }: Blip2, image: Uint8Array, newTokens: number): Promise<Steps> {
  const { pixelValues } = await processor.process({ images: image });
  let at = performance.now();
  const lap = (): number => -at + (at = performance.now());
  const patches = await pipeline.vision.encode(pixelValues);
  const visionMs = lap();
  const prefix = await pipeline.projection.project(await pipeline.qformer.query(patches));
  const qformerMs = lap();
  await using decoding = await pipeline.language.start(await pipeline.embedPrompt({ pixelValues: prefix }));
  const prefillMs = lap();
  const tokenMs: number[] = [];
  for (let token = 1; token < newTokens; token++) {
    // The time does not depend on the token.
    await decoding.extend({ ids: [[token]] });
    tokenMs.push(lap());
  }
  return { visionMs, qformerMs, prefillMs, tokenMs };
}

function samplesOf(
  steps: readonly Steps[],
  captionMs: readonly number[],
  { peakMiB, rssAnonMiB }: ProcessMemory,
): Pick<BenchSamples, 'visionMs' | 'qformerMs' | 'prefillMs' | 'tokenMs' | 'captionMs' | 'peakMiB' | 'rssAnonMiB'> {
  return {
    visionMs: steps.map(({ visionMs }) => visionMs),
    qformerMs: steps.map(({ qformerMs }) => qformerMs),
    prefillMs: steps.map(({ prefillMs }) => prefillMs),
    tokenMs: steps.flatMap(({ tokenMs }) => tokenMs),
    captionMs,
    peakMiB: [peakMiB],
    rssAnonMiB: [rssAnonMiB],
  };
}

/** Beams and batches take several times as long, so they get half of the rounds and a shorter warm-up. */
async function timeManyRows(
  blip2: Blip2,
  image: Uint8Array,
  rounds: number,
  newTokens: number,
): Promise<Pick<BenchSamples, 'beams5Ms' | 'batch8CaptionsPerSecond'>> {
  const images = await distinctImages(image, BATCH);
  const length = { minNewTokens: newTokens, maxNewTokens: newTokens };
  const beams = (): Promise<unknown> => Promise.resolve(blip2.caption(image, { numBeams: BEAMS, ...length }));
  const batch = (): Promise<unknown> => blip2.caption(images, length);
  const samples = { beams5Ms: [] as number[], batch8CaptionsPerSecond: [] as number[] };
  await untilStable(() => timed(beams), WARM_UP_RUNS);
  await untilStable(() => timed(batch), WARM_UP_RUNS);
  for (let round = 0; round < Math.ceil(rounds / 2); round++) {
    samples.beams5Ms.push(await timed(beams));
    samples.batch8CaptionsPerSecond.push((1000 * BATCH) / (await timed(batch)));
  }
  return samples;
}

/** Runs one warm-up round, then the timed ones. */
async function repeat<T>(rounds: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round <= rounds; round++) results.push(await work());
  return results.slice(1);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
