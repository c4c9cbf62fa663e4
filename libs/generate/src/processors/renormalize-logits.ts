import type { LogitsProcessor } from '@blip2/interfaces';

import { logSoftmaxInPlace } from '../numeric/softmax.ts';

/**
 * Normalises logits to log-probabilities (natural logarithm of the softmax). Source: HF `LogitNormalization`.
 *
 * ```ts
 * const logits = Float32Array.of(-Infinity, 7, -Infinity);
 * renormalizeLogits()([], logits);
 * logits; // [-Infinity, 0, -Infinity]
 * ```
 */
export function renormalizeLogits(): LogitsProcessor {
  return (_ids, logits) => logSoftmaxInPlace(logits);
}
