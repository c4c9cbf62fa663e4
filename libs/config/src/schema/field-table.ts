import { isDeepStrictEqual } from 'node:util';

import { Blip2Error } from '@blip2/interfaces';

import type { Field } from './field-types.ts';
import { type JsonObject, ownValue, show } from './json-values.ts';

/**
 * All fields of a configuration but those that it derives from others. Parsing, defaults, errors and writing read this
 * one list.
 */
export type FieldTable<C> = { readonly [K in keyof C]: Field<C[K]> };

export interface ToJsonOptions {
  /** Also write the fields that have their default and were absent. Default false. */
  readonly full?: boolean;
}

function fieldsOf<C extends object>(table: FieldTable<C>): [string, Field<unknown>][] {
  return Object.entries<Field<unknown>>({ ...table });
}

function present(field: Field<unknown>, json: JsonObject): string | undefined {
  return [...field.aliases, field.key].find((key) => Object.hasOwn(json, key));
}

/** The fields that `json` has, and the defaults of the others. Unknown keys are ignored, as the reference does. */
export function readFields<C extends object>(table: FieldTable<C>, json: JsonObject, where: string): C {
  const entries = fieldsOf(table).map(([name, field]) => {
    const key = present(field, json);
    return [name, key === undefined ? field.defaultValue : field.read(ownValue(json, key), `${where}.${key}`)];
  });
  return Object.fromEntries(entries) as C;
}

/** Refuses overrides that name no field. `others` are the properties of a configuration that are not in its table. */
export function requireKnownFields<C extends object>(
  table: FieldTable<C>,
  overrides: object,
  others: readonly string[],
  where: string,
): void {
  const known = [...Object.keys(table), ...others];
  const unknown = Object.keys(overrides).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Blip2Error('UNKNOWN_OPTION', 'The configuration has no such field', {
      got: show(unknown),
      expected: `one of ${known.join(', ')}`,
      where,
    });
}

/**
 * `json` as it was read, with those fields of `values` written that it gives otherwise. `read` is the parser of the
 * same configuration:
 * it says what an absent or derived field means.
 */
export function writeFields<C extends object>(
  table: FieldTable<C>,
  values: object,
  json: JsonObject,
  read: (json: JsonObject) => object,
  { full = false }: ToJsonOptions = {},
): Record<string, unknown> {
  const changed = differing(table, values, json, read, full);
  // A second look: a field that is derived where absent may have moved with the one it derives from.
  return differing(table, values, changed, read, false);
}

function differing<C extends object>(
  table: FieldTable<C>,
  values: object,
  json: JsonObject,
  read: (json: JsonObject) => object,
  full: boolean,
): Record<string, unknown> {
  const meant = new Map(Object.entries(read(json)));
  const given = new Map(Object.entries(values));
  const written = fieldsOf(table).flatMap(([name, field]): [string, unknown][] => {
    if (!given.has(name)) return [];
    const value = given.get(name);
    const key = present(field, json);
    const same = isDeepStrictEqual(value, meant.get(name));
    return same && (key !== undefined || !full) ? [] : [[key ?? field.key, field.write(value)]];
  });
  return Object.fromEntries([...Object.entries(json), ...written]);
}
