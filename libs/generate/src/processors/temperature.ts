import type { LogitsProcessor } from '@blip2/interfaces';

/**
 * Divides every score by `value`, above 0: below 1 makes likely tokens likelier. Reference: `TemperatureLogitsWarper`.
 */
export function temperature(value: number): LogitsProcessor {
  const divisor = Math.fround(value);
  return (_ids, scores) => {
    for (let id = 0; id < scores.length; id++) scores[id] = scores[id]! / divisor;
  };
}
