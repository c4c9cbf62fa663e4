import { Blip2Error } from '@blip2/interfaces';

import { count, positive } from '../schema/field-types.ts';
import { type JsonObject, ownValue, show } from '../schema/json-values.ts';
import { MAX_POSITIONS } from '../schema/limits.ts';

/**
 * Scaling of rotary frequencies for longer texts. `linear` divides all of them by the factor. `llama3` divides those
 * with wavelengths above `originalMaxPositionEmbeddings / lowFreqFactor` positions by the factor, keeps those below
 * `originalMaxPositionEmbeddings / highFreqFactor`, and interpolates between them.
 */
export type RotaryScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    };

/** The factors have no default; HF rejects configurations without them too. */
const required =
  (key: string) =>
  (parameters: JsonObject, where: string): number =>
    positive(key, 1).read(ownValue(parameters, key), `${where}.${key}`);
const factor = required('factor');
const lowFreqFactor = required('low_freq_factor');
const highFreqFactor = required('high_freq_factor');

/** Number of positions of the original training, before scaling. */
export const ORIGINAL = 'original_max_position_embeddings';
/** No scaling. */
const UNSCALED = 'default';

/** Numbers of positions outside the rotary parameters. */
export interface ModelPositions {
  readonly original: unknown;
  readonly now: number;
}

/**
 * The scaling of one object of rotary parameters. Source: `_compute_linear_scaling_rope_parameters` and
 * `_compute_llama3_parameters` of `modeling_rope_utils.py`, transformers 5.18.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for other types (`dynamic`, `yarn`, `longrope`); `INVALID_CONFIG`.
 */
export function rotaryScaling(
  parameters: JsonObject,
  where: string,
  positions: ModelPositions,
): RotaryScaling | undefined {
  const type = ownValue(parameters, 'rope_type') ?? ownValue(parameters, 'type') ?? UNSCALED;
  if (type === UNSCALED) return undefined;
  if (type === 'linear') return Object.freeze({ type, factor: factor(parameters, where) });
  if (type !== 'llama3')
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The rope_type is not supported', {
      expected: `${UNSCALED}, linear or llama3`,
      got: show(type),
      where: `${where}.rope_type`,
    });
  const [low, high] = [lowFreqFactor(parameters, where), highFreqFactor(parameters, where)];
  if (low >= high)
    throw new Blip2Error('INVALID_CONFIG', 'low_freq_factor must be below high_freq_factor', {
      expected: 'low_freq_factor below high_freq_factor',
      got: `${low} and ${high}`,
      where,
    });
  const original = positions.original ?? ownValue(parameters, ORIGINAL) ?? positions.now;
  return Object.freeze({
    type,
    factor: factor(parameters, where),
    lowFreqFactor: low,
    highFreqFactor: high,
    originalMaxPositionEmbeddings: count(ORIGINAL, 1, MAX_POSITIONS).read(original, `${where}.${ORIGINAL}`),
  });
}
