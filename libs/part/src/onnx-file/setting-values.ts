import type { JsonObject } from '@blip2/files';
import { mustBe } from '@blip2/interfaces';

/** The first positive integer among the given keys of some settings. */
export function integerSetting(
  settings: readonly (JsonObject | undefined)[],
  ...keys: readonly string[]
): number | undefined {
  for (const object of settings)
    for (const key of keys) {
      const value = object?.[key];
      if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    }
  return undefined;
}

/** A member that is an object. */
export function objectSetting(settings: JsonObject | undefined, key: string): JsonObject | undefined {
  const value = settings?.[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/**
 * Returns an option that must be a positive integer, if it is given.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function positiveOption(name: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return value;
  throw mustBe(name, 'a positive integer', value);
}
