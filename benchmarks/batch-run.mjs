/**
 * How much of a run of captions the model is at work: node benchmarks/batch-run.mjs MODEL [IMAGES] [DTYPE]
 * [RESULT.json] [BATCH].
 * Makes photographs of 12 megapixels in a temporary folder, runs `blip2 caption` over them as a user would, and
 * compares the time from the first image's turn to the
 * end with the sum of the model's times in the JSON lines. Loading is told apart.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

import { decodeImage, resize } from '@blip2/processor';

// The library that decodes belongs to the processor package.
const sharp = createRequire(new URL('../libs/processor/package.json', import.meta.url))('sharp');
const [model, images = '12', dtype = 'fast', result, batchSize = '4'] = process.argv.slice(2);
const WIDTH = 4000;
const HEIGHT = 3000;
const QUALITY = 90;
const OPENINGS = 9;

const folder = mkdtempSync(join(tmpdir(), 'blip2-batch-'));
try {
  const bytes = await makePhotographs(Number(images));
  const opening = await timeOfOpening(join(folder, '0.jpg'));
  const output = join(folder, 'captions.jsonl');
  const run = await caption(output);
  const lines = readFileSync(output, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const report = {
    ...summary(lines, run),
    ...opening,
    images: lines.length,
    megapixels: (WIDTH * HEIGHT) / 1e6,
    jpegBytes: bytes,
    batchSize: Number(batchSize),
    dtype,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model,
    node: process.version,
  };
  console.log(JSON.stringify(report));
  if (result) writeFileSync(result, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** A gradient, waves and noise: about as hard to decode as a photograph. Returns the bytes of each. */
async function makePhotographs(count) {
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  const sizes = [];
  for (let number = 0; number < count; number++) {
    let state = 12345 + number;
    for (let y = 0, at = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const noise = (state >>> 28) - 8;
        data[at++] = clamp((x * 255) / WIDTH + 40 * Math.sin(x / (37 + number)) + noise);
        data[at++] = clamp((y * 255) / HEIGHT + noise);
        data[at++] = clamp(128 + 80 * Math.sin((x + y) / 90) + noise);
      }
    }
    sizes.push(
      (
        await sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
          .jpeg({ quality: QUALITY })
          .toFile(join(folder, `${number}.jpg`))
      ).size,
    );
  }
  return Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length);
}

function clamp(level) {
  return Math.max(0, Math.min(255, level));
}

/** What an image takes of one core before the model sees it, in milliseconds: the middle of several. */
async function timeOfOpening(file) {
  const times = { decodeMs: [], resizeMs: [] };
  for (let run = 0; run < OPENINGS; run++) {
    const start = performance.now();
    const image = await decodeImage(file, { autoOrient: true });
    const decoded = performance.now();
    resize(image, 224, 224, 'bicubic');
    times.decodeMs.push(decoded - start);
    times.resizeMs.push(performance.now() - decoded);
  }
  return Object.fromEntries(
    Object.entries(times).map(([name, all]) => [name, Math.round(all.sort((a, b) => a - b)[OPENINGS >> 1])]),
  );
}

/**
 * Runs the command; `seconds` from its start, `peakMiB` of its resident memory (mapped weights included), `lines` the
 * times at which lines had been written.
 */
function caption(output) {
  const program = new URL('../apps/cli/bin/blip2.js', import.meta.url).pathname;
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const argv = [
      program,
      'caption',
      folder,
      '-m',
      model,
      '--dtype',
      dtype,
      '--batch-size',
      batchSize,
      '--quiet',
      '--min-new-tokens',
      '10',
      '--max-new-tokens',
      '10',
      '-o',
      output,
    ];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'inherit', 'inherit'] });
    const written = [];
    let peakMiB = 0;
    const timer = setInterval(() => {
      peakMiB = Math.max(peakMiB, memoryOf(child.pid));
      const count = linesIn(output);
      if (count > (written.at(-1)?.count ?? 0)) written.push({ count, at: performance.now() - start });
    }, 5);
    child.on('error', reject).on('close', (code) => {
      clearInterval(timer);
      if (code !== 0) return reject(new TypeError(`blip2 ended with ${code}`));
      resolve({ milliseconds: performance.now() - start, peakMiB, written });
    });
  });
}

function linesIn(file) {
  try {
    return readFileSync(file, 'utf8').split('\n').length - 1;
  } catch {
    return 0;
  }
}

function memoryOf(pid) {
  try {
    return Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
  } catch {
    return 0;
  }
}

/**
 * The steady part: from the moment when the first batch was written to the moment when the last one was. Times of a
 * batch stand in each of its lines.
 * `wholeFraction` counts everything from the start of the process to its end, loading and opening the first images
 * included.
 */
function summary(lines, { milliseconds, peakMiB, written }) {
  const modelTime = ({ timings }) => timings.preprocess + timings.encode + timings.generate;
  const batches = lines.filter((_, index) => index % Number(batchSize) === 0).map(modelTime);
  const all = sum(batches);
  const [first] = written;
  const steady = (written.at(-1)?.at ?? 0) - (first?.at ?? 0);
  const rounded = (value) => Math.round(value * 1000) / 1000;
  return {
    steadyFraction: rounded(sum(batches.slice(1)) / steady),
    wholeFraction: rounded(all / milliseconds),
    modelMs: Math.round(all),
    wallMs: Math.round(milliseconds),
    steadyModelMs: Math.round(sum(batches.slice(1))),
    steadyWallMs: Math.round(steady),
    modelMsPerBatch: batches.map(Math.round),
    firstBatchWrittenMs: Math.round(first?.at ?? 0),
    peakMiB,
  };
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
