import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import { positive } from '../schema/field-types.ts';
import { expectObject, type JsonObject, ownValue, show } from '../schema/json-values.ts';
import { ORIGINAL, type RotaryScaling, rotaryScaling } from './rotary-scaling.ts';

/** Keys of rotary parameters, of transformers 5 and 4. */
const KEYS = ['rope_parameters', 'rope_scaling'] as const;
const PARTIAL = 'partial_rotary_factor';

/** Rotary parameters of a configuration. */
export interface RotaryParameters {
  /** Base of the frequencies, which takes precedence over `rope_theta`. Undefined if no object has one. */
  readonly base: number | undefined;
  readonly scaling: RotaryScaling | undefined;
  /** The part of each head that is rotated. */
  readonly rotatedPart: number;
}

export interface RotaryModel {
  /** The default of the original number of positions of `llama3`. */
  readonly maxPositionEmbeddings: number;
  /** Whether the architecture can rotate a part of each head; a number is the default of that part. */
  readonly partialRotary: boolean | number;
}

/**
 * Reads the rotary parameters of a configuration.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for scalings that are not supported, and for rotations of a part of
 * each head that the architecture does not have; `INVALID_CONFIG`.
 */
export function rotaryParameters(
  json: JsonObject,
  where: string,
  { maxPositionEmbeddings, partialRotary }: RotaryModel,
): RotaryParameters {
  let rotatedPart = rotatedPartOf(json, where, partialRotary);
  let base: number | undefined;
  let scaling: RotaryScaling | undefined;
  for (const key of KEYS) {
    const value = ownValue(json, key) ?? undefined;
    if (value === undefined) continue;
    const at = `${where}.${key}`;
    const parameters = expectObject(value, at);
    if (Object.hasOwn(parameters, PARTIAL)) rotatedPart = rotatedPartOf(parameters, at, partialRotary);
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
  return { base, scaling, rotatedPart };
}

function rotatedPartOf(parameters: JsonObject, where: string, partialRotary: RotaryModel['partialRotary']): number {
  const isPartial = partialRotary !== false;
  const part = ownValue(parameters, PARTIAL) ?? (typeof partialRotary === 'number' ? partialRotary : 1);
  const isKnown = typeof part === 'number' && part > 0 && part <= 1;
  if (part === 1 || (isPartial && isKnown)) return part;
  const got = { got: show(part), where: `${where}.${PARTIAL}` };
  if (!isKnown)
    throw new Blip2Error('INVALID_CONFIG', `${PARTIAL} has an invalid value`, {
      expected: 'a number above 0, at most 1',
      ...got,
    });
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Rotary embeddings of a part of each head are not supported', {
    expected: '1',
    ...got,
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
