import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import { positive } from '../schema/field-types.ts';
import { expectObject, type JsonObject, ownValue, show } from '../schema/json-values.ts';
import { ORIGINAL, type RotaryScaling, rotaryScaling } from './rotary-scaling.ts';

/** Keys of rotary parameters, of transformers 5 and 4. */
const KEYS = ['rope_parameters', 'rope_scaling'] as const;
/** Rotary parameters of a configuration. */
export interface RotaryParameters {
  /** Base of the frequencies, which takes precedence over `rope_theta`. Undefined if no object has one. */
  readonly base: number | undefined;
  readonly scaling: RotaryScaling | undefined;
}

/**
 * Reads the rotary parameters of a configuration. `maxPositionEmbeddings` is the default of the original number of
 * positions of `llama3`.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for scalings that depend on the text and for rotations of a part of
 * each head; `INVALID_CONFIG`.
 */
export function rotaryParameters(json: JsonObject, where: string, maxPositionEmbeddings: number): RotaryParameters {
  let base: number | undefined;
  let scaling: RotaryScaling | undefined;
  for (const key of KEYS) {
    const value = ownValue(json, key) ?? undefined;
    if (value === undefined) continue;
    const at = `${where}.${key}`;
    const parameters = expectObject(value, at);
    requireWholeHeads(parameters, at);
    const own = rotaryScaling(parameters, at, {
      original: ownValue(json, ORIGINAL) ?? undefined,
      now: maxPositionEmbeddings,
    });
    if (own && scaling && !isDeepStrictEqual(own, scaling))
      throw new Blip2Error('INVALID_CONFIG', 'rope_parameters and rope_scaling must not contradict each other', {
        expected: JSON.stringify(scaling),
        got: JSON.stringify(own),
        where: at,
      });
    scaling ??= own;
    const theta = ownValue(parameters, 'rope_theta');
    if (theta !== undefined) base ??= positive('rope_theta', 1).read(theta, `${at}.rope_theta`);
  }
  return { base, scaling };
}

function requireWholeHeads(parameters: JsonObject, where: string): void {
  const factor = ownValue(parameters, 'partial_rotary_factor') ?? 1;
  if (factor !== 1)
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Rotary embeddings of a part of each head are not supported', {
      expected: '1',
      got: show(factor),
      where: `${where}.partial_rotary_factor`,
    });
}

/** Moves the base in `written` to the key under which `json` stores it. */
export function withRotaryBase(
  written: Record<string, unknown>,
  json: JsonObject,
  base: number | undefined,
): Record<string, unknown> {
  const key = KEYS.find((name) => Object.hasOwn(expectObject(ownValue(json, name) ?? {}, name), 'rope_theta'));
  if (key === undefined || base === undefined) return written;
  const entries = Object.entries(written).filter(([name]) => name !== 'rope_theta' || Object.hasOwn(json, name));
  return { ...Object.fromEntries(entries), [key]: { ...expectObject(written[key], key), rope_theta: base } };
}
