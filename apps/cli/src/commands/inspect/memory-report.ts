import { freemem, totalmem } from 'node:os';

import type { ModelConfig } from '@blip2/blip2';
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

/** Estimates the memory that the model needs in each precision, and compares it with that of the machine. */
export function memoryReport(
  config: ModelConfig,
  tensors: readonly StoredTensor[],
  hasLanguageModel: boolean,
  sizes: PrecisionSizes,
): MemoryReport {
  const machine = machineMemory();
  const { layers } = languageSizes(config.textConfig);
  const { hiddenSize } = config.textConfig;
  const positions = hasLanguageModel ? config.numQueryTokens + TYPICAL_NEW_TOKENS : 0;
  const cacheBytes = 2 * layers * hiddenSize * positions * FLOAT32_BYTES;
  const needs = byPrecision((precision) => {
    const neededBytes = sizes[precision].bytes + cacheBytes + WORKING_BYTES;
    return { neededBytes, fits: neededBytes <= machine.totalBytes };
  });
  return { ...needs.fp32, mappedBytes: mappedBytes(tensors), ...machine, byPrecision: needs };
}

/** Bytes of memory that this process may use: those of the machine, or fewer if a container sets a limit. */
function machineMemory(): { readonly totalBytes: number; readonly availableBytes: number } {
  // Without a limit, this is 0 or more than the machine's memory.
  const limit = process.constrainedMemory();
  const totalBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { totalBytes, availableBytes: Math.min(totalBytes, process.availableMemory?.() ?? freemem()) };
}
