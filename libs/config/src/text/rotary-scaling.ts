import { Blip2Error } from '@blip2/interfaces';

import { count, flag, positive } from '../schema/field-types.ts';
import { type JsonObject, ownValue, show } from '../schema/json-values.ts';
import { MAX_POSITIONS } from '../schema/limits.ts';

/**
 * Scaling of rotary frequencies for longer texts. `linear` divides all of them by the factor. `llama3` divides those
 * with wavelengths above `originalMaxPositionEmbeddings / lowFreqFactor` positions by the factor, keeps those below
 * `originalMaxPositionEmbeddings / highFreqFactor`, and interpolates between them. `longrope` divides each by a number
 * of its own, which depends on whether a text is longer than the original ones. `yarn` (arXiv 2309.00071) divides the
 * frequencies of few rotations by the factor, keeps those of many, and interpolates between them. `dynamic` changes the
 * base for texts longer than `max_position_embeddings`, which are refused: up to there it changes nothing.
 */
export type RotaryScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    }
  | { readonly type: 'dynamic'; readonly factor: number }
  | {
      readonly type: 'yarn';
      readonly factor: number;
      /** Factor of cosines and sines. */
      readonly attentionFactor: number;
      readonly originalMaxPositionEmbeddings: number;
      /** Numbers of rotations within the original length: frequencies of more are kept. */
      readonly betaFast: number;
      /** Frequencies of fewer are divided by the factor. */
      readonly betaSlow: number;
      /** Whether the range between them is widened to whole pairs. */
      readonly truncate: boolean;
    }
  | {
      readonly type: 'longrope';
      /** Divisors of the frequencies, one per pair, of texts up to the original length and of longer ones. */
      readonly shortFactor: readonly number[];
      readonly longFactor: readonly number[];
      /** Factor of cosines and sines. */
      readonly attentionFactor: number;
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

/** Names of `longrope`, the last two of older Phi-3 configurations. */
const LONGROPE: readonly unknown[] = ['longrope', 'su'];

/** Numbers of positions outside the rotary parameters. */
export interface ModelPositions {
  readonly original: unknown;
  readonly now: number;
}

/**
 * The scaling of one object of rotary parameters. Source: `_compute_linear_scaling_rope_parameters` and
 * the functions of the other types in `modeling_rope_utils.py`, transformers 5.18.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for other types; `INVALID_CONFIG`.
 */
export function rotaryScaling(
  parameters: JsonObject,
  where: string,
  positions: ModelPositions,
): RotaryScaling | undefined {
  const type = ownValue(parameters, 'rope_type') ?? ownValue(parameters, 'type') ?? UNSCALED;
  if (type === UNSCALED) return undefined;
  if (type === 'linear' || type === 'dynamic') return Object.freeze({ type, factor: factor(parameters, where) });
  if (type === 'yarn') return yarn(parameters, where, positions);
  if (LONGROPE.includes(type)) return longrope(parameters, where, positions);
  if (type !== 'llama3')
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The rope_type is not supported', {
      expected: `${UNSCALED}, linear, dynamic, yarn, llama3 or longrope`,
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
  return Object.freeze({
    type,
    factor: factor(parameters, where),
    lowFreqFactor: low,
    highFreqFactor: high,
    originalMaxPositionEmbeddings: originalPositions(parameters, where, positions),
  });
}

function originalPositions(parameters: JsonObject, where: string, { original, now }: ModelPositions): number {
  const value = original ?? ownValue(parameters, ORIGINAL) ?? now;
  return count(ORIGINAL, 1, MAX_POSITIONS).read(value, `${where}.${ORIGINAL}`);
}

/** A number that may be absent. */
function optionalNumber(parameters: JsonObject, key: string, where: string): number | undefined {
  const value = ownValue(parameters, key) ?? undefined;
  return value === undefined ? undefined : positive(key, 1).read(value, `${where}.${key}`);
}

/** Increase of the factor of cosines and sines with the logarithm of the factor. */
const YARN_SLOPE = 0.1;
const BETA_FAST = 32;
const BETA_SLOW = 1;

function yarn(parameters: JsonObject, where: string, positions: ModelPositions): RotaryScaling {
  const original = originalPositions(parameters, where, positions);
  const number = (key: string): number | undefined => optionalNumber(parameters, key, where);
  const growth = number('factor') ?? positions.now / original;
  const suggested = (slope = 1): number => (growth <= 1 ? 1 : YARN_SLOPE * slope * Math.log(growth) + 1);
  const [slope, slopeOfAll] = [number('mscale'), number('mscale_all_dim')];
  const relative =
    slope !== undefined && slopeOfAll !== undefined ? suggested(slope) / suggested(slopeOfAll) : undefined;
  return Object.freeze({
    type: 'yarn',
    factor: growth,
    attentionFactor: number('attention_factor') ?? relative ?? suggested(),
    originalMaxPositionEmbeddings: original,
    betaFast: number('beta_fast') ?? BETA_FAST,
    betaSlow: number('beta_slow') ?? BETA_SLOW,
    truncate: flag('truncate', true).read(ownValue(parameters, 'truncate') ?? true, `${where}.truncate`),
  });
}

function longrope(parameters: JsonObject, where: string, positions: ModelPositions): RotaryScaling {
  const original = originalPositions(parameters, where, positions);
  const number = (key: string): number | undefined => optionalNumber(parameters, key, where);
  const growth = number('factor') ?? positions.now / original;
  const suggested = growth <= 1 ? 1 : Math.sqrt(1 + Math.log(growth) / Math.log(original));
  return Object.freeze({
    type: 'longrope',
    shortFactor: factors(parameters, 'short_factor', where),
    longFactor: factors(parameters, 'long_factor', where),
    attentionFactor: number('attention_factor') ?? suggested,
    originalMaxPositionEmbeddings: original,
  });
}

/** One positive number per pair. */
function factors(parameters: JsonObject, key: string, where: string): readonly number[] {
  const value = ownValue(parameters, key);
  const at = `${where}.${key}`;
  if (!Array.isArray(value))
    throw new Blip2Error('INVALID_CONFIG', `${key} must be a list of numbers`, {
      expected: 'one number per pair of rotated elements',
      got: show(value),
      where: at,
    });
  return Object.freeze(value.map((each: unknown) => positive(key, 1).read(each, at)));
}
