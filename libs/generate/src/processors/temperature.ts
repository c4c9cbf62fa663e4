import type { LogitsProcessor } from '@blip2/interfaces';

/**
 * Divides all logits by `value`, above 0: below 1 sharpens the distribution, above 1 flattens it. Source: HF
 * `TemperatureLogitsWarper`.
 *
 * ```ts
 * const logits = Float32Array.of(3, 1, 2);
 * temperature(0.5)([], logits);
 * logits; // [6, 2, 4]
 * ```
 */
export function temperature(value: number): LogitsProcessor {
  const divisor = Math.fround(value);
  return (_ids, logits) => {
    for (let id = 0; id < logits.length; id++) logits[id] = (logits[id] ?? 0) / divisor;
  };
}
