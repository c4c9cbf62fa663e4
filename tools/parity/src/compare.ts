import type { Tensor } from '@blip2/interfaces';

import type { Tolerance } from './golden-case.ts';

/** The result of comparing one output, or all outputs of an entry. */
export interface Comparison {
  /** Number of elements compared. */
  readonly elements: number;
  /**
   * Largest absolute difference between finite elements; `Infinity` where only one side is finite, `NaN` where one side
   * is NaN.
   */
  readonly largest: number;
  /** Largest difference relative to the tolerance of its element; 0 if only exact values were compared. */
  readonly largestRatio: number;
  /** The first difference; absent if everything passed. */
  readonly failure?: string;
}

/** Nothing compared yet. */
export const NOTHING_COMPARED: Comparison = { elements: 0, largest: 0, largestRatio: 0 };

/** Joins two comparisons. The first failure is kept. */
export function joinComparisons(a: Comparison, b: Comparison): Comparison {
  const failure = a.failure ?? b.failure;
  return {
    elements: a.elements + b.elements,
    largest: worse(a.largest, b.largest),
    largestRatio: worse(a.largestRatio, b.largestRatio),
    ...(failure !== undefined && { failure }),
  };
}

/** `Math.max`, but NaN if either is NaN. */
function worse(a: number, b: number): number {
  return Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.max(a, b);
}

function failed(failure: string): Comparison {
  return { ...NOTHING_COMPARED, failure };
}

/**
 * Compares every element: `|actual - expected| <= atol + rtol * |expected|`. Types and shapes must be equal, infinities
 * must have the same positions and signs, and NaN never passes.
 */
export function compareTensors(actual: Tensor, expected: Tensor, tolerance: Tolerance, where: string): Comparison {
  if (actual.type !== expected.type) return failed(`${where}: expected ${expected.type}, got ${actual.type}`);
  if (!sameDims(actual.dims, expected.dims))
    return failed(`${where}: expected shape [${expected.dims.join(', ')}], got [${actual.dims.join(', ')}]`);
  if (actual.data.length !== expected.data.length)
    return failed(`${where}: expected ${expected.data.length} elements, got ${actual.data.length}`);
  let largest = 0;
  let largestRatio = 0;
  let failure: string | undefined;
  for (let index = 0; index < expected.data.length; index++) {
    const e = Number(expected.data[index]);
    const a = Number(actual.data[index]);
    const difference = a === e ? 0 : Math.abs(a - e);
    const allowed = Number.isFinite(e) ? tolerance.atol + tolerance.rtol * Math.abs(e) : 0;
    largest = worse(largest, difference);
    largestRatio = worse(largestRatio, difference === 0 ? 0 : difference / allowed);
    if (difference <= allowed) continue;
    failure ??= `${where}${positionOf(index, expected.dims)}: expected ${e}, got ${a}`;
  }
  return { elements: expected.data.length, largest, largestRatio, ...(failure !== undefined && { failure }) };
}

/** Compares two lists of tensors, such as one per layer or per step, pairwise. Shapes may vary along the list. */
export function compareTensorLists(
  actual: readonly Tensor[],
  expected: readonly Tensor[],
  tolerance: Tolerance,
  where: string,
): Comparison {
  if (actual.length !== expected.length)
    return failed(`${where}: expected ${expected.length} tensors, got ${actual.length}`);
  return expected.reduce((found, tensor, index) => {
    const given = actual[index];
    const one = given
      ? compareTensors(given, tensor, tolerance, `${where}[${index}]`)
      : failed(`${where}[${index}]: nothing was produced`);
    return joinComparisons(found, one);
  }, NOTHING_COMPARED);
}

/** Compares ids, masks, texts and names, which must be equal. Counts the leaves. */
export function compareExactly(actual: unknown, expected: unknown, where: string): Comparison {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return failed(`${where}: expected a list, got ${JSON.stringify(actual)}`);
    const pairs = expected.reduce<Comparison>((found, item, index) => {
      return index < actual.length
        ? joinComparisons(found, compareExactly(actual[index], item, `${where}[${index}]`))
        : found;
    }, NOTHING_COMPARED);
    if (actual.length === expected.length) return pairs;
    return joinComparisons(pairs, failed(`${where}: expected ${expected.length} items, got ${actual.length}`));
  }
  if (typeof expected === 'object' && expected !== null) return failed(`${where}: objects are not golden values`);
  if (actual === expected) return { ...NOTHING_COMPARED, elements: 1 };
  return {
    ...NOTHING_COMPARED,
    elements: 1,
    failure: `${where}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`,
  };
}

/**
 * A copy of a tensor `[batch, positions, …]` with zeros at the positions whose mask is 0. Undefined if the mask has
 * another
 * shape.
 */
export function zeroUncompared(tensor: Tensor, mask: readonly (readonly number[])[]): Tensor | undefined {
  const [batch, positions] = tensor.dims;
  if (mask.length !== batch || mask.some((row) => row.length !== positions)) return undefined;
  const flat = mask.flat();
  const width = flat.length === 0 ? 0 : tensor.data.length / flat.length;
  const data = tensor.data.slice();
  flat.forEach((keep, position) => {
    if (keep === 0) clear(data, position * width, (position + 1) * width);
  });
  return { ...tensor, data };
}

function clear(data: Tensor['data'], start: number, end: number): void {
  if (data instanceof BigInt64Array) data.fill(0n, start, end);
  else data.fill(0, start, end);
}

function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

function positionOf(index: number, dims: readonly number[]): string {
  let rest = index;
  const position = dims.toReversed().map((length) => {
    const here = rest % length;
    rest = Math.floor(rest / length);
    return here;
  });
  return `[${position.toReversed().join(', ')}]`;
}
