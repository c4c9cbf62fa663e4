import { Blip2Error, type ErrorCode, type Tensor } from '@blip2/interfaces';

import type { Tolerance } from './check.ts';

export function fail(what: string, expected: string, got: string): never {
  throw new Blip2Error('NOT_CONFORMING', what, { expected, got });
}

export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [String(JSON.stringify(actual)), String(JSON.stringify(expected))];
  if (got !== wanted) fail(what, wanted, got);
}

/** A float32 tensor of these dimensions whose data fits them and is finite. */
export function expectTensor(tensor: Tensor, dims: readonly number[], what: string): void {
  expectEqual(tensor.type, 'float32', `${what}: element type`);
  expectEqual(tensor.dims, dims, `${what}: dims`);
  expectEqual(
    tensor.data.length,
    dims.reduce((product, dim) => product * dim, 1),
    `${what}: number of values`,
  );
  const wrong = valuesOf(tensor).find((value) => !Number.isFinite(value));
  if (wrong !== undefined) fail(what, 'finite values', String(wrong));
}

/** Element by element, within the tolerance. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { absolute, relative }: Tolerance,
  what: string,
): void {
  expectEqual(actual.length, expected.length, `${what}: number of values`);
  for (let index = 0; index < expected.length; index++) {
    const [own, other] = [actual[index]!, expected[index]!];
    if (!(Math.abs(own - other) <= absolute + relative * Math.abs(other)))
      fail(`${what}: element ${index}`, String(other), String(own));
  }
}

/** Two results that must not be the same, or the comparisons beside this one would prove nothing. */
export function expectDifferent(actual: ArrayLike<number>, other: ArrayLike<number>, what: string): void {
  if (actual.length === other.length && Array.from(actual).every((value, index) => value === other[index]))
    fail(what, 'different results', 'the same twice');
}

/** The call rejects with a `Blip2Error`, of this code if one is given. */
export async function expectRejection(call: () => Promise<unknown>, what: string, code?: ErrorCode): Promise<void> {
  const error: unknown = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Blip2Error) || (code !== undefined && error.code !== code))
    fail(what, `a Blip2Error ${code ?? ''}`.trim(), String(error));
}

/**
 * A call that was under way while what it asks was disposed of: it gives its whole result, or rejects with `DISPOSED`.
 */
export async function expectWholeOrDisposed(
  call: Promise<Tensor<'float32'>>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  what: string,
): Promise<void> {
  const outcome: unknown = await call.then(
    ({ data }) => data,
    (reason: unknown) => reason,
  );
  if (outcome instanceof Blip2Error && outcome.code === 'DISPOSED') return;
  if (!(outcome instanceof Float32Array)) fail(what, 'the result, or a Blip2Error DISPOSED', String(outcome));
  expectClose(outcome, expected, tolerance, what);
}

/** The values of entry `row` of axis 0. */
export function rowOf({ dims, data }: Tensor<'float32'>, row: number): Float32Array {
  const size = data.length / dims[0]!;
  return data.subarray(row * size, (row + 1) * size);
}

function valuesOf({ data }: Tensor): readonly number[] {
  return Array.from(data, Number);
}
