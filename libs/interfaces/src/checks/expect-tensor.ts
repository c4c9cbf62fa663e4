import { Blip2Error, mustBe } from '../errors.ts';
import type { Dims, Tensor } from '../tensor.ts';
import { expectKnownOptions } from './expect-known-options.ts';

/**
 * Checks a float32 tensor of the caller, with one axis per name in `axes`, and returns it: type, axes, number of
 * values,
 * and that all of them are finite.
 * @throws Blip2Error `INVALID_ARGUMENT` for anything but a float32 tensor; `SHAPE_MISMATCH` for another number of axes
 * or values; `NOT_FINITE` for NaN and infinity.
 */
export function expectTensor<T extends Tensor<'float32'>>(argument: string, value: T, axes: readonly string[]): T {
  const shape = `[${axes.join(', ')}]`;
  expectFloatTensor(argument, value, shape);
  const { dims, data } = value;
  if (dims.length !== axes.length) throw wrongShape(argument, shape, `[${dims.join(', ')}]`);
  const size = dims.reduce((product, axis) => product * axis, 1);
  if (data.length !== size) throw wrongShape(argument, `${size} values for [${dims.join(', ')}]`, String(data.length));
  let sum = 0;
  for (let index = 0; index < data.length; index++) sum += (data[index] ?? 0) * 0;
  if (sum === 0) return value;
  const first = data.findIndex((each) => !Number.isFinite(each));
  throw new Blip2Error('NOT_FINITE', `${argument} has a value that is not finite (${data[first]} at index ${first})`, {
    argument,
    subject: argument,
    fix: 'The inputs of a call must be finite numbers',
  });
}

/** Whether a value has the members of a tensor. */
export function isTensorLike(value: unknown): value is { readonly dims: unknown; readonly data: unknown } {
  return typeof value === 'object' && value !== null && 'dims' in value && 'data' in value;
}

/**
 * Checks that the inputs of a call are an object, no tensor, and that all of them are in `names`. `where` is the
 * function as callers write it.
 * @throws Blip2Error `INVALID_ARGUMENT`; `UNKNOWN_OPTION` with the most similar known name.
 */
export function expectInputs(where: string, inputs: unknown, names: readonly string[]): void {
  if (typeof inputs !== 'object' || inputs === null || Array.isArray(inputs) || isTensorLike(inputs))
    throw mustBe('inputs', `an object such as { ${names[0] ?? ''} }`, inputs, { where });
  expectKnownOptions(`inputs of ${where}`, inputs, names);
  for (const [name, value] of Object.entries(inputs))
    if (value === null) throw mustBe(name, 'a value, or absent', value, { where });
}

function expectFloatTensor(argument: string, value: unknown, shape: string): void {
  const expected = `a float32 tensor ${shape}`;
  if (!isTensorLike(value)) throw mustBe(argument, `${expected}: { type, dims, data }`, value);
  const { type, dims, data } = value as Partial<Tensor>;
  if (!isDims(dims)) throw mustBe(`${argument}.dims`, 'a list of non-negative integers', dims);
  if (type !== 'float32') throw mustBe(argument, expected, type, { fix: 'Set type and data to float32' });
  // Arrays of another realm, as in test runners, are no instances of this realm's class.
  if (Object.prototype.toString.call(data) !== '[object Float32Array]')
    throw mustBe(`${argument}.data`, 'a Float32Array', data);
}

function isDims(dims: unknown): dims is Dims {
  return Array.isArray(dims) && dims.every((axis) => Number.isSafeInteger(axis) && axis >= 0);
}

function wrongShape(argument: string, expected: string, got: string): Blip2Error {
  return new Blip2Error('SHAPE_MISMATCH', `${argument} has the wrong shape`, { argument, expected, got });
}
