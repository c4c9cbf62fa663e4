import { Blip2Error, type ErrorCode, isTypedArray, type Tensor } from '@blip2/interfaces';

import type { Tolerance } from './check.ts';

/**
 * Fails a check.
 * @throws Blip2Error `NOT_CONFORMING`.
 */
export function fail(what: string, expected: string, got: string): never {
  throw new Blip2Error('NOT_CONFORMING', what, { expected, got });
}

/** Expects values that are equal as JSON. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  const [got, expectedText] = [String(JSON.stringify(actual)), String(JSON.stringify(expected))];
  if (got !== expectedText) fail(what, expectedText, got);
}

/** Expects a finite float32 tensor with these dimensions. */
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

/** Expects values that are equal within the tolerance, element by element. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { absolute, relative }: Tolerance,
  what: string,
): void {
  expectEqual(actual.length, expected.length, `${what}: number of values`);
  for (let index = 0; index < expected.length; index++) {
    const [got, wanted] = [actual[index] ?? NaN, expected[index] ?? NaN];
    if (!(Math.abs(got - wanted) <= absolute + relative * Math.abs(wanted)))
      fail(`${what}: element ${index}`, String(wanted), String(got));
  }
}

/** Expects results that differ; if they were equal, comparisons of results would prove nothing. */
export function expectDifferent(actual: ArrayLike<number>, other: ArrayLike<number>, what: string): void {
  if (actual.length === other.length && Array.from(actual).every((value, index) => value === other[index]))
    fail(what, 'different results', 'equal results');
}

/** Expects a call to reject with a `Blip2Error`, with the given code if any. */
export async function expectRejection(call: () => Promise<unknown>, what: string, code?: ErrorCode): Promise<void> {
  const error: unknown = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Blip2Error) || (code !== undefined && error.code !== code))
    fail(what, `a Blip2Error ${code ?? ''}`.trim(), String(error));
}

/** Expects a call that ran during disposal to return its complete result or to reject with `DISPOSED`. */
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
  if (!isTypedArray(outcome, 'Float32Array'))
    fail(what, 'the complete result or a Blip2Error DISPOSED', String(outcome));
  expectClose(outcome, expected, tolerance, what);
}

/** The values of one entry of the first axis. */
export function rowOf({ dims, data }: Tensor<'float32'>, row: number): Float32Array {
  const size = data.length / (dims[0] ?? 1);
  return data.subarray(row * size, (row + 1) * size);
}

function valuesOf({ data }: Tensor): readonly number[] {
  return Array.from(data, Number);
}
