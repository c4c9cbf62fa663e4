import { Blip2Error, type PixelValues, type Tensor } from '@blip2/interfaces';

import type { GoldenCase, GoldenEntry } from './golden-case.ts';
import { resolveInput } from './golden-tensors.ts';
import { asNumber, asRows, asString, asStringList } from './json-shape.ts';

type Matrix = Tensor<'float32', [rows: number, columns: number]>;
type Vectors = Tensor<'float32', [batch: number, positions: number, size: number]>;

/** The inputs of one entry by the manifest's names. Each is read as the type that the kind expects. */
export interface EntryInputs {
  has(name: string): boolean;
  string(name: string): string;
  strings(name: string): readonly string[];
  /** One text, or a list. */
  texts(name: string): string | readonly string[];
  integer(name: string): number;
  /** Token ids, masks or labels. */
  rows(name: string): readonly (readonly number[])[];
  /** A tensor of any rank. */
  floats(name: string): Tensor<'float32'>;
  /** `[rows, columns]`. */
  matrix(name: string): Matrix;
  /** `[batch, positions, size]`. */
  vectors(name: string): Vectors;
  /** `[batch, channels, height, width]`. */
  images(name: string): PixelValues;
  /** `{ [key]: read(name) }` if the input was passed, else `{}`. */
  optional<K extends string, V>(key: K, name: string, read: (name: string) => V): { readonly [P in K]?: V };
}

/**
 * Resolves the inputs of an entry.
 * @throws Blip2Error `INVALID_CHECKPOINT` if a tensor is missing.
 */
export function readEntryInputs(golden: GoldenCase, entry: GoldenEntry): EntryInputs {
  const values = new Map([...entry.inputs].map(([name, value]) => [name, resolveInput(golden.tensors, value)]));
  const read = (name: string): unknown => {
    if (!values.has(name))
      throw new Blip2Error('INVALID_ARGUMENT', 'The entry has no such input', { where: `${entry.name}: ${name}` });
    return values.get(name);
  };
  return {
    has: (name) => values.has(name),
    string: (name) => asString(read(name), name),
    strings: (name) => asStringList(read(name), name),
    texts: (name) => (typeof read(name) === 'string' ? asString(read(name), name) : asStringList(read(name), name)),
    integer: (name) => asNumber(read(name), name),
    rows: (name) => asRows(read(name), name),
    floats: (name) => asFloats(read(name), name, isFloats),
    matrix: (name) => asFloats(read(name), name, isMatrix),
    vectors: (name) => asFloats(read(name), name, isVectors),
    images: (name) => asFloats(read(name), name, isImages),
    optional: (key, name, readValue) => (values.has(name) ? keyed(key, readValue(name)) : {}),
  };
}

function keyed<K extends string, V>(key: K, value: V): { readonly [P in K]?: V } {
  const result: { [P in K]?: V } = {};
  result[key] = value;
  return result;
}

function isFloats(value: unknown): value is Tensor<'float32'> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'data' in value &&
    value.data instanceof Float32Array &&
    'dims' in value
  );
}

function isMatrix(tensor: Tensor<'float32'>): tensor is Matrix {
  return tensor.dims.length === 2;
}

function isVectors(tensor: Tensor<'float32'>): tensor is Vectors {
  return tensor.dims.length === 3;
}

function isImages(tensor: Tensor<'float32'>): tensor is PixelValues {
  return tensor.dims.length === 4;
}

function asFloats<T extends Tensor<'float32'>>(
  value: unknown,
  name: string,
  fits: (tensor: Tensor<'float32'>) => tensor is T,
): T {
  if (isFloats(value) && fits(value)) return value;
  throw new Blip2Error('INVALID_ARGUMENT', 'The golden input is not a float tensor of the expected rank', {
    where: name,
  });
}
