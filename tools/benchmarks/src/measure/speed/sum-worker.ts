import { parentPort, workerData } from 'node:worker_threads';

/** The numbers that one thread adds up. */
export interface SumTask {
  readonly shared: SharedArrayBuffer;
  /** Index of the first float64. */
  readonly from: number;
  /** A multiple of eight. */
  readonly count: number;
}

const { shared, from, count } = workerData as SumTask;
const numbers = new Float64Array(shared, from * 8, count);
parentPort?.on('message', () => parentPort?.postMessage(sumOf(numbers)));
parentPort?.postMessage('ready');

/** Keeps eight sums, so that additions do not wait for each other. */
function sumOf(values: Float64Array): number {
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < values.length; i += 8) {
    a += values[i]!;
    b += values[i + 1]!;
    c += values[i + 2]!;
    d += values[i + 3]!;
    e += values[i + 4]!;
    f += values[i + 5]!;
    g += values[i + 6]!;
    h += values[i + 7]!;
  }
  return a + b + c + d + e + f + g + h;
}
