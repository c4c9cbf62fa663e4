import { freemem, totalmem } from 'node:os';

import type { TextConfig } from '@blip2/config';
import type { StoredTensor } from '@blip2/interfaces';

import type { MemoryReport } from './checkpoint-report.ts';
import { languageSizes } from './config-report.ts';
import { byPrecision, type PrecisionSizes } from './precision-report.ts';
import { mappedBytes } from './weights-report.ts';

/**
 * Memory besides weights and KV cache: the process, and the intermediate values of an image. Measured at the shape of
 * opt-2.7b (benchmarks, caption-fp32-opt-2.7b).
 */
const WORKING_BYTES = 300e6;
/** New tokens in the estimate of the KV cache. */
const TYPICAL_NEW_TOKENS = 64;
const FLOAT32_BYTES = 4;

/**
 * Estimates the memory that the model needs in each precision, and compares it with that of the machine. `language` is
 * its language model, if it has one, with the length of a prompt.
 */
export function memoryReport(
  tensors: readonly StoredTensor[],
  sizes: PrecisionSizes,
  language: { readonly config: TextConfig; readonly promptLength: number } | undefined,
): MemoryReport {
  const machine = machineMemory();
  const cacheBytes = language ? cacheBytesOf(language.config, language.promptLength + TYPICAL_NEW_TOKENS) : 0;
  const needs = byPrecision((precision) => {
    const neededBytes = sizes[precision].bytes + cacheBytes + WORKING_BYTES;
    return { neededBytes, fits: neededBytes <= machine.totalBytes };
  });
  return { ...needs.fp32, mappedBytes: mappedBytes(tensors), ...machine, byPrecision: needs };
}

function cacheBytesOf(config: TextConfig, positions: number): number {
  return 2 * languageSizes(config).layers * config.hiddenSize * positions * FLOAT32_BYTES;
}

/** Bytes of memory that this process may use: those of the machine, or fewer if a container sets a limit. */
function machineMemory(): { readonly totalBytes: number; readonly availableBytes: number } {
  // Without a limit, this is 0 or more than the machine's memory.
  const limit = process.constrainedMemory();
  const totalBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { totalBytes, availableBytes: Math.min(totalBytes, process.availableMemory?.() ?? freemem()) };
}
