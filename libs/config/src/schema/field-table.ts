import { isDeepStrictEqual } from 'node:util';

import { Blip2Error, mustBe, nearestName } from '@blip2/interfaces';

import type { Field } from './field-types.ts';
import { type JsonObject, ownValue, show } from './json-values.ts';

/** The stored fields of a configuration. Parsing, defaults, errors and writing all use this table. */
export type FieldTable<C> = { readonly [K in keyof C]: Field<C[K]> };

export interface ToJsonOptions {
  /** Also write fields that were absent and have their default value. Default false. */
  readonly full?: boolean;
}

function fieldsOf<C extends object>(table: FieldTable<C>): [string, Field<unknown>][] {
  return Object.entries<Field<unknown>>({ ...table });
}

function present(field: Field<unknown>, json: JsonObject): string | undefined {
  return [...field.aliases, field.key].find((key) => Object.hasOwn(json, key));
}

/** The fields in `json`, and the defaults of absent ones. Unknown keys are ignored, as in HF. */
export function readFields<C extends object>(table: FieldTable<C>, json: JsonObject, where: string): C {
  const entries = fieldsOf(table).map(([name, field]) => {
    const key = present(field, json);
    return [name, key === undefined ? field.defaultValue : field.read(ownValue(json, key), `${where}.${key}`)];
  });
  return Object.fromEntries(entries) as C;
}

/**
 * @throws Blip2Error `UNKNOWN_OPTION` for overrides that are neither fields nor one of `others`, with the nearest name;
 * `INVALID_ARGUMENT` if they are no object.
 */
export function requireKnownFields<C extends object>(
  table: FieldTable<C>,
  overrides: object,
  others: readonly string[],
  where: string,
): void {
  if (typeof overrides !== 'object' || (overrides as object | null) === null || Array.isArray(overrides))
    throw mustBe('overrides', 'an object of configuration fields', overrides, { where });
  const known = [...Object.keys(table), ...others];
  const unknown = Object.keys(overrides).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const nearest = nearestName(unknown, known);
  throw new Blip2Error('UNKNOWN_OPTION', 'Unknown configuration field', {
    argument: unknown,
    got: show(unknown),
    where,
    ...(nearest === undefined ? { expected: `one of ${known.join(', ')}` } : { fix: `Did you mean "${nearest}"?` }),
  });
}

/**
 * `json` with the fields written whose value in `values` differs from what `read` returns for it. `read` parses the
 * same configuration, including absent and derived fields.
 */
export function writeFields<C extends object>(
  table: FieldTable<C>,
  values: object,
  json: JsonObject,
  read: (json: JsonObject) => object,
  { full = false }: ToJsonOptions = {},
): Record<string, unknown> {
  const changed = differing(table, values, json, read, full);
  // Second pass: an absent field that derives from a changed one may have changed with it.
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
