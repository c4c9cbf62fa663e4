import type { LogitsProcessor } from '@blip2/interfaces';

import { logSoftmaxInPlace } from '../numeric/softmax.ts';

/** Turns scores into log-probabilities (natural logarithm of the softmax). Reference: `LogitNormalization`. */
export function renormalizeLogits(): LogitsProcessor {
  return (_ids, scores) => logSoftmaxInPlace(scores);
}
