import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import { positive } from '../schema/field-types.ts';
import { expectObject, type JsonObject, ownValue, show } from '../schema/json-values.ts';
import { ORIGINAL, type RotaryScaling, rotaryScaling } from './rotary-scaling.ts';

/** Where files keep what they say of rotary positions: transformers 5, and 4. */
const KEYS = ['rope_parameters', 'rope_scaling'] as const;
/** What a file says of rotary positions. */
export interface RotaryParameters {
  /** Of the frequencies; wins over `rope_theta`. Undefined where no object has one. */
  readonly base: number | undefined;
  readonly scaling: RotaryScaling | undefined;
}

/**
 * What the file's objects of rotary parameters say. `maxPositionEmbeddings` stands in where `llama3` does not say how
 * many positions there were before.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for scalings that depend on the text, or that turn a part of each head
 * only; `INVALID_CONFIG`.
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
      throw new Blip2Error('INVALID_CONFIG', 'Rotary positions are scaled in two ways', {
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
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Rotary positions of a part of each head are not supported', {
      expected: '1',
      got: show(factor),
      where: `${where}.partial_rotary_factor`,
    });
}

/** `written` with the base moved to where `json`, from which it was written, keeps it. */
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
