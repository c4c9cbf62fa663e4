import type { Activation } from './activation.ts';
import {
  activation,
  count,
  deviation,
  epsilon,
  type Field,
  flag,
  oneOf,
  optional,
  positive,
  probability,
  text,
  tokenId,
  tokenIds,
  withDefault,
} from './field-types.ts';

/** Kinds of fields in `config.json`: each has a key, a default and bounds. */
export interface FieldTypes {
  /** The name of an activation. */
  activation(key: string, defaultValue: Activation): Field<Activation>;
  /** An integer from 1 to `high`. */
  count(key: string, defaultValue: number, high: number): Field<number>;
  /** A standard deviation or factor of initial weights: finite, at least 0. */
  deviation(key: string, defaultValue: number): Field<number>;
  /** The epsilon of a norm, between 0 and 1, both excluded. */
  epsilon(key: string, defaultValue: number): Field<number>;
  flag(key: string, defaultValue: boolean): Field<boolean>;
  /** One of several names. */
  oneOf<const T extends string>(key: string, defaultValue: NoInfer<T>, known: readonly T[]): Field<T>;
  /** A field that may be null in JSON, which is undefined in the configuration. */
  optional<T>(inner: Field<T>): Field<T | undefined>;
  /** A finite number above 0. */
  positive(key: string, defaultValue: number): Field<number>;
  /** A dropout probability from 0 to 1. Inference does not use it. */
  probability(key: string, defaultValue: number): Field<number>;
  text(key: string, defaultValue: string): Field<string>;
  /** A token id. Null and -1 in JSON are undefined in the configuration. */
  tokenId(key: string, defaultValue: number | undefined): Field<number | undefined>;
  /** One token id or several. */
  tokenIds(key: string, defaultValue: number | undefined): Field<number | readonly number[] | undefined>;
  /** The same field with another default. */
  withDefault<T>(inner: Field<T>, defaultValue: T): Field<T>;
}

/** Kinds of fields for the configurations of other packages (`defineConfig`). */
export const fieldTypes: FieldTypes = {
  activation,
  count,
  deviation,
  epsilon,
  flag,
  oneOf,
  optional,
  positive,
  probability,
  text,
  tokenId,
  tokenIds,
  withDefault,
};
