import { Blip2Error } from '@blip2/interfaces';

/** A parsed JSON object with unchecked values. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function refuse(where: string, expected: string, got: unknown): never {
  throw new Blip2Error('INVALID_ARGUMENT', 'The golden manifest is malformed', {
    where,
    expected,
    got: JSON.stringify(got) ?? 'nothing',
  });
}

export function asObject(value: unknown, where: string): JsonObject {
  return isJsonObject(value) ? value : refuse(where, 'an object', value);
}

export function asList(value: unknown, where: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(where, 'a list', value);
}

export function asString(value: unknown, where: string): string {
  return typeof value === 'string' ? value : refuse(where, 'a string', value);
}

export function asNumber(value: unknown, where: string): number {
  return typeof value === 'number' ? value : refuse(where, 'a number', value);
}

export function asStringList(value: unknown, where: string): readonly string[] {
  return isStringList(value) ? value : refuse(where, 'a list of strings', value);
}

/** Rows of numbers of any lengths: token ids, masks, labels. */
export function asRows(value: unknown, where: string): readonly (readonly number[])[] {
  return asList(value, where).map((row, r) =>
    asList(row, `${where}[${r}]`).map((item, c) => asNumber(item, `${where}[${r}][${c}]`)),
  );
}
