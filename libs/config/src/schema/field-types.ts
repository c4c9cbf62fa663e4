import { Blip2Error } from '@blip2/interfaces';

import { type Activation, activations } from './activation.ts';
import { show } from './json-values.ts';
import { MAX_TOKEN_ID } from './limits.ts';

/** One field of a configuration: its name on disk, its default in HF, its type and bounds. */
export interface Field<T> {
  readonly key: string;
  /** Other names that HF accepts. If one is present, it takes precedence over `key`, as in HF. */
  readonly aliases: readonly string[];
  readonly defaultValue: T;
  /**
   * From JSON.
   * @throws Blip2Error `INVALID_CONFIG` with `where`.
   */
  read(value: unknown, where: string): T;
  /** To JSON. */
  write(value: T): unknown;
}

interface Rule<T> {
  readonly expected: string;
  /** The value, or undefined if it is not accepted. */
  accept(value: unknown): T | undefined;
}

function field<T>(key: string, defaultValue: T, rule: Rule<T>, aliases: readonly string[] = []): Field<T> {
  const read = (value: unknown, where: string): T => {
    const accepted = rule.accept(value);
    if (accepted !== undefined) return accepted;
    throw new Blip2Error('INVALID_CONFIG', `${key} has an invalid value`, {
      expected: rule.expected,
      got: show(value),
      where,
    });
  };
  return { key, aliases, defaultValue, read, write: (value) => value };
}

/** A field that may be null in JSON, which is undefined in the configuration. */
export function optional<T>(inner: Field<T>): Field<T | undefined> {
  return {
    ...inner,
    defaultValue: undefined,
    read: (value, where) => (value === null ? undefined : inner.read(value, where)),
    write: (value) => value ?? null,
  };
}

/** The same field with another default. */
export function withDefault<T>(inner: Field<T>, defaultValue: T): Field<T> {
  return { ...inner, defaultValue };
}

const isIntegerWithin = (value: unknown, low: number, high: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;

/** An integer from `low` (default 1) to `high`. */
export function count(
  key: string,
  defaultValue: number,
  high: number,
  { low = 1, aliases = [] }: { low?: number; aliases?: readonly string[] } = {},
): Field<number> {
  return field(
    key,
    defaultValue,
    {
      expected: `an integer from ${low} to ${high}`,
      accept: (value) => (isIntegerWithin(value, low, high) ? value : undefined),
    },
    aliases,
  );
}

/** The epsilon of a norm, between 0 and 1, both excluded. */
export function epsilon(key: string, defaultValue: number): Field<number> {
  return field(key, defaultValue, {
    expected: 'a number above 0 and below 1',
    accept: (value) => (typeof value === 'number' && value > 0 && value < 1 ? value : undefined),
  });
}

/** A dropout probability from 0 to 1. Inference does not use it. */
export function probability(key: string, defaultValue: number): Field<number> {
  return field(key, defaultValue, {
    expected: 'a number from 0 to 1',
    accept: (value) => (typeof value === 'number' && value >= 0 && value <= 1 ? value : undefined),
  });
}

/** A standard deviation or factor of initial weights: finite, at least 0. */
export function deviation(key: string, defaultValue: number): Field<number> {
  return field(key, defaultValue, {
    expected: 'a finite number, at least 0',
    accept: (value) => (typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined),
  });
}

/** A finite number above 0. */
export function positive(key: string, defaultValue: number): Field<number> {
  return field(key, defaultValue, {
    expected: 'a finite number above 0',
    accept: (value) => (typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined),
  });
}

export function flag(key: string, defaultValue: boolean): Field<boolean> {
  return field(key, defaultValue, {
    expected: 'true or false',
    accept: (value) => (typeof value === 'boolean' ? value : undefined),
  });
}

export function oneOf<const T extends string>(key: string, defaultValue: NoInfer<T>, known: readonly T[]): Field<T> {
  return field(key, defaultValue, {
    expected: `one of ${known.join(', ')}`,
    accept: (value) => known.find((name) => name === value),
  });
}

export function activation(key: string, defaultValue: Activation): Field<Activation> {
  return oneOf(key, defaultValue, activations);
}

export function text(key: string, defaultValue: string): Field<string> {
  return field(key, defaultValue, {
    expected: 'a string',
    accept: (value) => (typeof value === 'string' ? value : undefined),
  });
}

const isTokenId = (value: unknown): value is number => isIntegerWithin(value, 0, MAX_TOKEN_ID);

/** The id of a token that does not exist, in configurations of the first LLaMA conversions. */
const NO_TOKEN = -1;

/** A field that may also be -1 in JSON, which is undefined in the configuration. */
function absentAtMinusOne<T>(inner: Field<T | undefined>): Field<T | undefined> {
  return { ...inner, read: (value, where) => (value === NO_TOKEN ? undefined : inner.read(value, where)) };
}

/** A token id. Null and -1 in JSON are undefined in the configuration: the token does not exist. */
export function tokenId(
  key: string,
  defaultValue: number | undefined,
  aliases: readonly string[] = [],
): Field<number | undefined> {
  return withDefault(absentAtMinusOne(optional(count(key, 0, MAX_TOKEN_ID, { low: 0, aliases }))), defaultValue);
}

/** One token id or several. Of a list, -1 is left out: no token has that id. */
export function tokenIds(key: string, defaultValue: number | undefined): Field<number | readonly number[] | undefined> {
  const accept = (value: unknown): number | readonly number[] | undefined => {
    if (Array.isArray(value)) {
      const ids = value.filter((id) => id !== NO_TOKEN);
      return ids.length > 0 && ids.every(isTokenId) ? Object.freeze(ids) : undefined;
    }
    return isTokenId(value) ? value : undefined;
  };
  const ids = field<number | readonly number[]>(key, 0, { expected: 'a token id or a list of token ids', accept });
  return withDefault(absentAtMinusOne(optional(ids)), defaultValue);
}

/** Any finite number. */
export function finite(key: string, defaultValue: number): Field<number> {
  return field(key, defaultValue, {
    expected: 'a finite number',
    accept: (value) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined),
  });
}

export function flagOrNever(key: string, defaultValue: boolean): Field<boolean | 'never'> {
  return field<boolean | 'never'>(key, defaultValue, {
    expected: 'true, false or "never"',
    accept: (value) => (typeof value === 'boolean' || value === 'never' ? value : undefined),
  });
}

const isTokenIdList = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isTokenId);

/** A list of token ids; undefined if absent or null. */
export function tokenIdList(key: string): Field<readonly number[] | undefined> {
  return optional(
    field<readonly number[]>(key, [], {
      expected: 'a list of token ids',
      accept: (value) => (isTokenIdList(value) ? value : undefined),
    }),
  );
}

/** A list of lists of token ids; undefined if absent or null. */
export function tokenIdLists(key: string): Field<readonly (readonly number[])[] | undefined> {
  const accept = (value: unknown): readonly (readonly number[])[] | undefined =>
    Array.isArray(value) && value.every(isTokenIdList) ? value : undefined;
  return optional(field<readonly (readonly number[])[]>(key, [], { expected: 'a list of lists of token ids', accept }));
}
