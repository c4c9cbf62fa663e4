import { isJsonObject, type JsonObject } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

export type { JsonObject };

/**
 * Maximum nesting depth. Published files have three levels (configuration, part, `id2label`); much deeper ones could
 * only exhaust the stack.
 */
const MAX_JSON_DEPTH = 64;
const MAX_SHOWN_LENGTH = 80;

/** A value of an untrusted file, shortened for an error message. */
export function show(value: unknown): string {
  const text =
    typeof value === 'object' && value !== null
      ? Array.isArray(value)
        ? 'a list'
        : 'an object'
      : typeof value === 'string'
        ? JSON.stringify(value)
        : String(value);
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}

/** The own property of `json`, or undefined. */
export function ownValue(json: JsonObject, key: string): unknown {
  return Object.hasOwn(json, key) ? json[key] : undefined;
}

/** @throws Blip2Error `INVALID_CONFIG` unless `value` is an object. */
export function expectObject(value: unknown, where: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new Blip2Error('INVALID_CONFIG', 'A configuration must be a JSON object', {
    expected: 'an object',
    got: show(value),
    where,
  });
}

/**
 * A deep, frozen copy.
 * @throws Blip2Error `INVALID_CONFIG` for values that JSON does not have.
 */
export function frozenCopy(value: unknown, where: string, depth = 0): unknown {
  if (depth > MAX_JSON_DEPTH)
    throw new Blip2Error('INVALID_CONFIG', 'The configuration is nested too deeply', {
      expected: `at most ${MAX_JSON_DEPTH} levels`,
      where,
    });
  if (Array.isArray(value)) return Object.freeze(value.map((item) => frozenCopy(item, where, depth + 1)));
  // `Object.fromEntries` defines properties instead of assigning them, so `__proto__` stays a plain key.
  if (isJsonObject(value))
    return Object.freeze(
      Object.fromEntries(Object.entries(value).map(([key, item]) => [key, frozenCopy(item, where, depth + 1)])),
    );
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value;
  throw new Blip2Error('INVALID_CONFIG', 'The configuration has a value that JSON cannot represent', {
    got: show(value),
    where,
  });
}

export function frozenObject(value: unknown, where: string): JsonObject {
  return expectObject(frozenCopy(expectObject(value, where), where), where);
}
