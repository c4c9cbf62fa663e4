/**
 * Memory bandwidth when all threads read: node benchmarks/bandwidth.mjs [MIB]. Reads 1 GiB (or MIB) in two ways,
 * several times each, and prints the best of each and which
 * was faster: a product of a vector with a float32 matrix in onnxruntime, which is what writing a token is made of, and
 * sums in JavaScript, one thread per core.
 */
import { availableParallelism } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { f32 } from '@blip2/interfaces';
import { buildGraph, matMul } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';

const TRIES = 8;
/** Floats of the vector. */
const INNER = 4096;

if (isMainThread) {
  const floats = (Number(process.argv[2] ?? 1024) * 2 ** 20) / 4;
  const ways = {
    'onnxruntime, vector by float32 matrix': await productSeconds(floats),
    'JavaScript, sum of float64': await sumSeconds(floats / 2),
  };
  const gbPerSecond = Object.entries(ways).map(([way, seconds]) => [
    way,
    Math.round((floats * 4) / seconds / 1e8) / 10,
  ]);
  const [by, bandwidthGBs] = gbPerSecond.reduce((best, each) => (each[1] > best[1] ? each : best));
  console.log(JSON.stringify({ bandwidthGBs, bandwidthBy: by, bandwidthTries: Object.fromEntries(gbPerSecond) }));
} else {
  const numbers = new Float64Array(workerData.shared, workerData.from * 8, workerData.count);
  parentPort.on('message', () => parentPort.postMessage(sumOf(numbers)));
  parentPort.postMessage('ready');
}

async function productSeconds(floats) {
  const rows = floats / INNER;
  const signature = { inputs: { x: f32(1, INNER), matrix: f32('rows', INNER) }, outputs: { y: f32(1, 'rows') } };
  const graph = buildGraph(
    { name: 'read', signature, weights: { has: () => false, find: () => undefined, findQuantized: () => undefined } },
    (g, { x, matrix }) => ({ y: matMul(g, x, matrix, { transposeB: true }) }),
  );
  const session = await createSession(graph, {});
  const inputs = {
    x: { type: 'float32', dims: [1, INNER], data: new Float32Array(INNER).fill(1) },
    matrix: { type: 'float32', dims: [rows, INNER], data: new Float32Array(floats).fill(1) },
  };
  const seconds = await bestOf(() => session.run(inputs));
  await session[Symbol.asyncDispose]();
  return seconds;
}

async function sumSeconds(count) {
  const shared = new SharedArrayBuffer(count * 8);
  new Float64Array(shared).fill(1);
  const threads = availableParallelism();
  const share = Math.floor(count / threads / 8) * 8;
  const workers = Array.from(
    { length: threads },
    (_, index) => new Worker(new URL(import.meta.url), { workerData: { shared, from: index * share, count: share } }),
  );
  const heard = () =>
    Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))),
    );
  await heard();
  const seconds = await bestOf(() => {
    const sums = heard();
    for (const worker of workers) worker.postMessage('sum');
    return sums;
  });
  await Promise.all(workers.map((worker) => worker.terminate()));
  return seconds;
}

/** Eight sums side by side, so that additions do not wait for each other. */
function sumOf(numbers) {
  let [a, b, c, d, e, f, g, h] = new Float64Array(8);
  for (let index = 0; index < numbers.length; index += 8) {
    a += numbers[index];
    b += numbers[index + 1];
    c += numbers[index + 2];
    d += numbers[index + 3];
    e += numbers[index + 4];
    f += numbers[index + 5];
    g += numbers[index + 6];
    h += numbers[index + 7];
  }
  return a + b + c + d + e + f + g + h;
}

async function bestOf(work) {
  let best = Infinity;
  for (let time = 0; time < TRIES; time++) {
    const started = performance.now();
    await work();
    best = Math.min(best, performance.now() - started);
  }
  return best / 1000;
}
