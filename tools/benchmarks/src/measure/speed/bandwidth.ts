import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { f32 } from '@blip2/interfaces';
import { buildGraph, matMul } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';

import type { SumTask } from './sum-worker.ts';

const TRIES = 8;
/** Length of the vector. */
const INNER = 4096;

/** Memory bandwidth in GB/s: the best try, the method that reached it, and the best try of each method. */
export interface Bandwidth {
  readonly bandwidthGBs: number;
  readonly bandwidthBy: string;
  readonly bandwidthTries: Readonly<Record<string, number>>;
}

/**
 * `bandwidth.js [MIB]`: memory bandwidth when all cores read. Reads 1 GiB (or MIB) several times with each of two
 * methods: the product of a vector with a float32 matrix in onnxruntime, which is what generating a token consists of,
 * and sums in JavaScript with one thread per core. Prints one JSON line.
 */
export async function command([mebibytes = '1024']: readonly string[]): Promise<void> {
  const floats = (Number(mebibytes) * 2 ** 20) / 4;
  const seconds = {
    'onnxruntime, vector by float32 matrix': await productSeconds(floats),
    'JavaScript, sum of float64': await sumSeconds(floats / 2),
  };
  const tries = Object.entries(seconds).map(([method, best]): [string, number] => [
    method,
    Math.round((floats * 4) / best / 1e8) / 10,
  ]);
  const [bandwidthBy, bandwidthGBs] = tries.reduce((best, each) => (each[1] > best[1] ? each : best));
  const result: Bandwidth = { bandwidthGBs, bandwidthBy, bandwidthTries: Object.fromEntries(tries) };
  console.log(JSON.stringify(result));
}

async function productSeconds(floats: number): Promise<number> {
  const rows = floats / INNER;
  const signature = {
    inputs: { x: f32(1, INNER), matrix: f32('rows', INNER) },
    outputs: { y: f32(1, 'rows') },
  } as const;
  const weights = { has: () => false, find: () => undefined, findQuantized: () => undefined };
  const graph = buildGraph({ name: 'read', signature, weights }, (g, { x, matrix }) => ({
    y: matMul(g, x, matrix, { transposeB: true }),
  }));
  await using session = await createSession(graph, {});
  const x = { type: 'float32', dims: [1, INNER], data: new Float32Array(INNER).fill(1) } as const;
  const matrix = { type: 'float32', dims: [rows, INNER], data: new Float32Array(floats).fill(1) } as const;
  return await bestSeconds(() => session.run({ x, matrix }));
}

async function sumSeconds(count: number): Promise<number> {
  const shared = new SharedArrayBuffer(count * 8);
  new Float64Array(shared).fill(1);
  const threads = availableParallelism();
  const share = Math.floor(count / threads / 8) * 8;
  const workers = Array.from({ length: threads }, (_, index) => {
    const workerData: SumTask = { shared, from: index * share, count: share };
    return new Worker(new URL('./sum-worker.js', import.meta.url), { workerData });
  });
  const answers = (): Promise<unknown> => Promise.all(workers.map((worker) => once(worker, 'message')));
  await answers();
  const seconds = await bestSeconds(() => {
    const sums = answers();
    for (const worker of workers) worker.postMessage('sum');
    return sums;
  });
  await Promise.all(workers.map((worker) => worker.terminate()));
  return seconds;
}

async function bestSeconds(work: () => Promise<unknown>): Promise<number> {
  let best = Infinity;
  for (let time = 0; time < TRIES; time++) {
    const started = performance.now();
    await work();
    best = Math.min(best, performance.now() - started);
  }
  return best / 1000;
}
