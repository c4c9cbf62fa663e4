import type { ThreadChoice } from '@blip2/interfaces';

import { DECODE_SIZE, PRODUCT_SIZE, PRODUCTS, READ_SHAPE } from './product-graphs.ts';
import type { UsableProcessors } from './usable-processors.ts';

/** Shortest time of each product with a number of threads, in milliseconds. */
export interface ThreadTiming {
  readonly threads: number;
  /** int8 products over many rows. */
  readonly byteMs: number;
  /** float32 products over many rows. */
  readonly floatMs: number;
  /** int8 products over the rows of a prompt. */
  readonly promptMs: number;
  /** 4-bit products over one row. */
  readonly blockMs: number;
  /** Reading 64 MiB of weights from memory. */
  readonly readMs: number;
}

/** Shortest time of the products that can decode a batch of some rows, in milliseconds. */
export interface RowTiming {
  readonly rows: number;
  readonly blockMs: number;
  readonly byteMs: number;
}

/** Threads by phase. */
export type PhaseThreads = Omit<ThreadChoice, 'fewRows'>;

/** Costs within this factor of the best count as equal, so that noise does not decide. */
const TOLERANCE = 1.05;
/** Rows up to which 4-bit weights are used where nothing was measured. */
export const DEFAULT_FEW_ROWS = 4;
/** Numbers of rows to measure, in ascending order. Fewer always read too little to gain from 8 bits. */
export const MEASURED_ROWS: readonly number[] = [4, 8, 16];

const READ_BYTES = 4 * READ_SHAPE[0] * READ_SHAPE[1];
/** Bytes per weight: 4 bits, with a float32 scale for 128; 8 bits. */
const BLOCK_BYTES = 0.5 + 4 / 128;
const BYTE_BYTES = 1;

/**
 * Numbers of threads to measure, in ascending order: one, half of the processors, all, and where the system tells: all
 * physical cores, and the cores and the processors of the fastest kind. A fractional quota is rounded up; the
 * measurement decides.
 */
export function threadCandidates({ processors, quota = Infinity, topology }: UsableProcessors): readonly number[] {
  const usable = Math.max(1, Math.min(processors, Math.ceil(quota)));
  const kinds = topology?.kinds ?? [];
  const cores = kinds.reduce((sum, kind) => sum + kind.cores, 0);
  const candidates = [1, Math.ceil(usable / 2), usable, cores, kinds[0]?.cores ?? 0, kinds[0]?.processors ?? 0];
  const possible = candidates.filter((threads) => threads >= 1 && threads <= usable);
  return [...new Set(possible)].sort((a, b) => a - b);
}

/** For each phase the smallest number of threads about as fast as the best. */
export function chooseThreads(timings: readonly ThreadTiming[], usable: Pick<UsableProcessors, 'quota'>): PhaseThreads {
  return {
    // Both products have the same weight.
    encoder: fastest(timings, ({ byteMs, floatMs }) => Math.sqrt(byteMs * floatMs), usable),
    prompt: fastest(timings, ({ promptMs, readMs }) => promptMs + readingMs(PRODUCT_SIZE, BYTE_BYTES, readMs), usable),
    decode: fastest(timings, ({ blockMs, readMs }) => blockMs + readingMs(DECODE_SIZE, BLOCK_BYTES, readMs), usable),
  };
}

/**
 * Chooses the rows up to which 4-bit products are faster: those of the last measurement before 8 bits first win. Both
 * also read their weights from memory.
 */
export function chooseFewRows(timings: readonly RowTiming[], readMs: number): number {
  const cost = (timeMs: number, bytes: number): number => timeMs + readingMs(DECODE_SIZE, bytes, readMs);
  let few = 1;
  for (const { rows, blockMs, byteMs } of timings) {
    if (cost(blockMs, BLOCK_BYTES) > cost(byteMs, BYTE_BYTES)) break;
    few = rows;
  }
  return few;
}

/**
 * Milliseconds for reading the weights of a chain from memory, which its run finds in the processor's cache. Kernels for
 * few rows read and multiply mostly in sequence.
 */
function readingMs(size: number, bytesPerWeight: number, readMs: number): number {
  return (readMs * PRODUCTS * size ** 2 * bytesPerWeight) / READ_BYTES;
}

function fastest(
  timings: readonly ThreadTiming[],
  timeOf: (timing: ThreadTiming) => number,
  { quota = Infinity }: Pick<UsableProcessors, 'quota'>,
): number {
  // Unlike a caption, a run of a few milliseconds ends before its threads have used up the quota.
  const costs = timings.map((timing) => ({
    threads: timing.threads,
    cost: timeOf(timing) * Math.max(1, timing.threads / quota),
  }));
  const least = Math.min(...costs.map(({ cost }) => cost));
  return Math.min(...costs.filter(({ cost }) => cost <= least * TOLERANCE).map(({ threads }) => threads));
}
