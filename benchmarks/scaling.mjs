/**
 * How times grow with images per batch, length of the prompt, new tokens, and threads: node benchmarks/scaling.mjs
 * [--shape opt-2.7b] [--dtype fast] [--checkpoint FOLDER] [--out FOLDER].
 * Writes scaling-SHAPE.json and scaling-SHAPE.svg to benchmarks/results, or OUT. Each point is the median of up to
 * three runs, of one where it takes long; each number of threads
 * has a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Blip2 } from '@blip2/blip2';

import { checkpointFolder } from './checkpoint-folder.mjs';
import { machine, versions } from './machine.mjs';
import { scalingPlot } from './scaling-plot.mjs';
import { medianOf, rounded } from './statistics.mjs';

const at = (name) => fileURLToPath(new URL(name, import.meta.url));
const IMAGES = [1, 2, 4, 8, 16, 32];
const PROMPTS = [8, 32, 128, 512];
const NEW_TOKENS = [1, 4, 16, 64, 256];
const THREADS = [1, 2];
const CAPTION_TOKENS = 10;
/** Milliseconds after which a point is not measured again. */
const LONG = 1500;
/** An id that every vocabulary has as a word. */
const WORD = 20;

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: 'opt-2.7b' },
    dtype: { type: 'string', default: 'fast' },
    checkpoint: { type: 'string' },
    out: { type: 'string', default: at('results') },
    // For the processes that this one starts.
    threads: { type: 'string' },
  },
});
const folder = checkpointFolder(options.shape, options.checkpoint);
const file = at('../examples/photo-size.jpg');
if (options.threads === undefined) await writeResults();
else console.log(JSON.stringify(await measureThreads(Number(options.threads))));

async function writeResults() {
  const [one, two] = THREADS.map((threads) => {
    const args = [
      fileURLToPath(import.meta.url),
      '--shape',
      options.shape,
      '--dtype',
      options.dtype,
      '--checkpoint',
      folder,
      '--threads',
      String(threads),
    ];
    return JSON.parse(
      execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
        .trim()
        .split('\n')
        .at(-1),
    );
  });
  const { images, prompts, newTokens, steps } = two;
  const result = {
    shape: options.shape,
    dtype: options.dtype,
    command: `node benchmarks/scaling.mjs --shape ${options.shape} --dtype ${options.dtype}`,
    machine: machine(),
    versions: versions(),
    captionTokens: CAPTION_TOKENS,
    images,
    prompts,
    newTokens,
    threads: [
      { threads: THREADS[0], ...one.steps },
      { threads: THREADS[1], ...steps },
    ],
  };
  writeFileSync(join(options.out, `scaling-${options.shape}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
  writeFileSync(join(options.out, `scaling-${options.shape}.svg`), scalingPlot(result));
}

/** The steps of a caption; with the most threads also everything else. */
async function measureThreads(threads) {
  const blip2 = await Blip2.fromPretrained(folder, { dtype: options.dtype, threads });
  const image = readFileSync(file);
  await blip2.caption(image, captionOf(2));
  const steps = await measureSteps(blip2, image);
  const all =
    threads === THREADS.at(-1)
      ? {
          images: await measureImages(blip2, image),
          prompts: await measurePrompts(blip2, image),
          newTokens: await measureNewTokens(blip2, image),
        }
      : {};
  await blip2.dispose();
  return { steps, ...all };
}

async function measureSteps(blip2, image) {
  const { pixelValues } = await blip2.processor.process({ images: image });
  const prefix = await blip2.pipeline.encodeImages(pixelValues);
  return {
    encodeMs: await medianMs(() => blip2.pipeline.encodeImages(pixelValues)),
    prefillMs: await medianMs(() => read(blip2, prefix)),
    captionMs: await medianMs(() => blip2.caption(image, captionOf(CAPTION_TOKENS))),
  };
}

async function measureImages(blip2, image) {
  const points = [];
  for (const images of IMAGES) {
    const copies = Array.from({ length: images }, () => Buffer.from(image));
    const captionsMs = await medianMs(() => blip2.caption(copies, captionOf(CAPTION_TOKENS)));
    points.push({ images, captionsMs, captionsPerSecond: rounded((1000 * images) / captionsMs) });
    console.error(JSON.stringify(points.at(-1)));
  }
  return points;
}

async function measurePrompts(blip2, image) {
  const { pixelValues } = await blip2.processor.process({ images: image });
  const prefix = await blip2.pipeline.encodeImages(pixelValues);
  const points = [];
  for (const words of PROMPTS) {
    points.push({
      words,
      positions: prefix.dims[1] + words,
      prefillMs: await medianMs(() => read(blip2, prefix, words)),
    });
    console.error(JSON.stringify(points.at(-1)));
  }
  return points;
}

async function measureNewTokens(blip2, image) {
  const encoded = await blip2.encode(image);
  const points = [];
  for (const newTokens of NEW_TOKENS) {
    points.push({ newTokens, writingMs: await medianMs(() => blip2.caption(encoded, captionOf(newTokens))) });
    console.error(JSON.stringify(points.at(-1)));
  }
  await encoded[Symbol.asyncDispose]();
  return points;
}

/** Reads the features of an image and words behind them; without a number, the model's own prompt. */
async function read({ pipeline, processor }, prefix, words) {
  const ids = words && [...new Array(prefix.dims[1]).fill(processor.imageTokenId), ...new Array(words).fill(WORD)];
  const decoding = await pipeline.language.start(
    await pipeline.embedPrompt({ pixelValues: prefix, ...(ids && { inputIds: [ids] }) }),
  );
  await decoding[Symbol.asyncDispose]();
}

function captionOf(newTokens) {
  return { minNewTokens: newTokens, maxNewTokens: newTokens };
}

/** After an untimed run, unless that took long. */
async function medianMs(work) {
  const times = [];
  for (let run = 0; run < 4 && (times[0] ?? 0) < LONG; run++) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return rounded(medianOf(times.length > 1 ? times.slice(1) : times));
}
