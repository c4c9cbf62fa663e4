import { Blip2Error, type Tensor } from '@blip2/interfaces';
import type { GoldenCase, GoldenEntry } from './golden-case.ts';
import { resolveInput } from './golden-tensors.ts';
import { asNumber, asRows, asString, asStringList } from './json-shape.ts';

type FloatTensor<D extends readonly number[]> = Tensor<'float32', D>;

/** The inputs of one entry by the manifest's names, each read as what the kind expects. */
export interface EntryInputs {
  has(name: string): boolean;
  string(name: string): string;
  strings(name: string): readonly string[];
  integer(name: string): number;
  rows(name: string): readonly (readonly number[])[];
  /** A float tensor of `rank` axes. */
  matrix(name: string): FloatTensor<[number, number]>;
  cube(name: string): FloatTensor<[number, number, number]>;
  pictures(name: string): FloatTensor<[number, number, number, number]>;
  /** `{ [key]: read(name) }` if the input was passed, else `{}`. */
  optional<K extends string, V>(key: K, name: string, read: (name: string) => V): { readonly [P in K]?: V };
}

/** Resolves what the manifest names; a missing tensor fails here. */
export function readEntryInputs(golden: GoldenCase, entry: GoldenEntry): EntryInputs {
  const values = new Map([...entry.inputs].map(([name, value]) => [name, resolveInput(golden.tensors, value)]));
  const read = (name: string): unknown => {
    if (!values.has(name)) throw new Blip2Error('INVALID_ARGUMENT', 'the entry lacks an input', { where: `${entry.name}: ${name}` });
    return values.get(name);
  };
  return {
    has: (name) => values.has(name),
    string: (name) => asString(read(name), name),
    strings: (name) => asStringList(read(name), name),
    integer: (name) => asNumber(read(name), name),
    rows: (name) => asRows(read(name), name),
    matrix: (name) => asFloat(read(name), name, isRank2),
    cube: (name) => asFloat(read(name), name, isRank3),
    pictures: (name) => asFloat(read(name), name, isRank4),
    optional: (key, name, readValue) => (values.has(name) ? keyed(key, readValue(name)) : {}),
  };
}

function keyed<K extends string, V>(key: K, value: V): { readonly [P in K]?: V } {
  const result: { [P in K]?: V } = {};
  result[key] = value;
  return result;
}

type Ranked<D extends readonly number[]> = (tensor: Tensor<'float32'>) => tensor is FloatTensor<D>;
const isRank2: Ranked<[number, number]> = (tensor): tensor is FloatTensor<[number, number]> => tensor.dims.length === 2;
const isRank3: Ranked<[number, number, number]> = (tensor): tensor is FloatTensor<[number, number, number]> => tensor.dims.length === 3;
const isRank4: Ranked<[number, number, number, number]> = (tensor): tensor is FloatTensor<[number, number, number, number]> => tensor.dims.length === 4;

function asFloat<D extends readonly number[]>(value: unknown, name: string, ranked: Ranked<D>): FloatTensor<D> {
  if (isFloatTensor(value) && ranked(value)) return value;
  throw new Blip2Error('INVALID_ARGUMENT', 'a golden input is no float tensor of the expected rank', { where: name });
}

function isFloatTensor(value: unknown): value is Tensor<'float32'> {
  return typeof value === 'object' && value !== null && 'data' in value && value.data instanceof Float32Array && 'dims' in value;
}
