import { Blip2Error } from '@blip2/interfaces';

import { count, positive } from '../schema/field-types.ts';
import { type JsonObject, ownValue, show } from '../schema/json-values.ts';
import { MAX_POSITIONS } from '../schema/limits.ts';

/**
 * Rotary frequencies that were changed so that a model reads longer texts. `linear`: all divided by the factor.
 * `llama3`: those whose waves are longer than
 * `originalMaxPositionEmbeddings / lowFreqFactor` positions divided by the factor, those shorter than
 * `originalMaxPositionEmbeddings / highFreqFactor` left, between them blended.
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

/** What the factors mean when they are missing is nothing: the reference fails then too. */
const required =
  (key: string) =>
  (parameters: JsonObject, where: string): number =>
    positive(key, 1).read(ownValue(parameters, key), `${where}.${key}`);
const factor = required('factor');
const lowFreqFactor = required('low_freq_factor');
const highFreqFactor = required('high_freq_factor');

/** Positions of the first training, before the scaling. */
export const ORIGINAL = 'original_max_position_embeddings';
/** Positions as they are. */
const UNSCALED = 'default';

/**
 * Where the file may keep the number of positions of the first training, if it is not among the parameters themselves.
 */
export interface ModelPositions {
  readonly original: unknown;
  readonly now: number;
}

/**
 * The scaling of one object of rotary parameters. Source: `_compute_linear_scaling_rope_parameters` and
 * `_compute_llama3_parameters` of `modeling_rope_utils.py`, transformers 5.18.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for any other (`dynamic`, `yarn`, `longrope`), `INVALID_CONFIG`.
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
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'This scaling of rotary positions is not supported', {
      expected: `${UNSCALED}, linear or llama3`,
      got: show(type),
      where: `${where}.rope_type`,
    });
  const [low, high] = [lowFreqFactor(parameters, where), highFreqFactor(parameters, where)];
  if (low >= high)
    throw new Blip2Error('INVALID_CONFIG', 'No frequency lies between the bounds of the scaling', {
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
