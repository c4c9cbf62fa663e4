import { Blip2Error } from '@blip2/interfaces';
import { positive } from './field.ts';
import { expectObject, ownValue, show, type JsonObject } from './json.ts';

/** Where files keep what they say of rotary positions: transformers 5, and 4. */
const KEYS = ['rope_parameters', 'rope_scaling'] as const;
/** Positions as they are. All other types scale frequencies or positions. */
const UNSCALED = 'default';

/**
 * The base of the rotary frequencies where the file has an object for it, which then wins over `rope_theta`.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for positions that are scaled, or that turn a part of each head only.
 */
export function rotaryBase(json: JsonObject, where: string): number | undefined {
  let base: number | undefined;
  for (const key of KEYS) {
    const value = ownValue(json, key) ?? undefined;
    if (value === undefined) continue;
    const parameters = expectObject(value, `${where}.${key}`);
    requireUnscaled(parameters, `${where}.${key}`);
    const theta = ownValue(parameters, 'rope_theta');
    if (theta !== undefined) base ??= positive('rope_theta', 1).read(theta, `${where}.${key}.rope_theta`);
  }
  return base;
}

function requireUnscaled(parameters: JsonObject, where: string): void {
  const type = ownValue(parameters, 'rope_type') ?? ownValue(parameters, 'type') ?? UNSCALED;
  if (type !== UNSCALED) throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'This scaling of rotary positions is not supported', { expected: UNSCALED, got: show(type), where: `${where}.rope_type` });
  const factor = ownValue(parameters, 'partial_rotary_factor') ?? 1;
  if (factor !== 1) throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'Rotary positions of a part of each head are not supported', { expected: '1', got: show(factor), where: `${where}.partial_rotary_factor` });
}

/** `written` with the base moved to where `json`, from which it was written, keeps it. */
export function withRotaryBase(written: Record<string, unknown>, json: JsonObject, base: number | undefined): Record<string, unknown> {
  const key = KEYS.find((name) => Object.hasOwn(expectObject(ownValue(json, name) ?? {}, name), 'rope_theta'));
  if (key === undefined || base === undefined) return written;
  const entries = Object.entries(written).filter(([name]) => name !== 'rope_theta' || Object.hasOwn(json, name));
  return { ...Object.fromEntries(entries), [key]: { ...expectObject(written[key], key), rope_theta: base } };
}
