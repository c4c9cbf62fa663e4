import type { Tensor } from '@blip2/interfaces';

import { camelCase } from './camel-case.ts';
import {
  compareExactly,
  compareTensorLists,
  compareTensors,
  type Comparison,
  joinComparisons,
  NOTHING_COMPARED,
  zeroUncompared,
} from './compare.ts';
import type { GoldenCase, GoldenEntry } from './golden-case.ts';
import type { GoldenValue } from './golden-value.ts';

/** Compares the outputs that the entry lists. `produced` contains the library's outputs under camelCase names. */
export function compareOutputs(
  golden: GoldenCase,
  entry: GoldenEntry,
  produced: ReadonlyMap<string, unknown>,
): Comparison {
  let found = NOTHING_COMPARED;
  for (const [name, expected] of entry.outputs) {
    const actual = produced.get(camelCase(name));
    const one =
      actual === undefined
        ? { ...NOTHING_COMPARED, failure: `${name}: nothing was produced` }
        : compareOutput(golden, entry, name, actual, expected);
    found = joinComparisons(found, one);
  }
  if (found.elements === 0 && found.failure === undefined) return { ...found, failure: 'nothing was compared' };
  return found;
}

function compareOutput(
  golden: GoldenCase,
  entry: GoldenEntry,
  name: string,
  actual: unknown,
  expected: GoldenValue,
): Comparison {
  const failure = (reason: string): Comparison => ({ ...NOTHING_COMPARED, failure: `${name}: ${reason}` });
  const mask = entry.compareRows.get(name);
  switch (expected.form) {
    case 'json':
      return compareExactly(actual, expected.value, name);
    case 'concat':
      return failure('concat is only valid for inputs');
    case 'tensor': {
      const [tensor] = isTensor(actual) ? masked([actual], mask) : [];
      return tensor
        ? compareTensors(tensor, golden.tensors.get(expected.name), entry.tolerance, name)
        : failure('not a tensor, or its shape does not match compare_rows');
    }
    case 'tensors': {
      const tensors = isTensorList(actual) ? masked(actual, mask) : [];
      return compareTensorLists(
        tensors,
        expected.names.map((each) => golden.tensors.get(each)),
        entry.tolerance,
        name,
      );
    }
  }
}

/** The tensors with uncompared positions set to zero. Tensors whose shape does not match the mask are dropped. */
function masked(tensors: readonly Tensor[], mask: readonly (readonly number[])[] | undefined): readonly Tensor[] {
  return mask === undefined ? tensors : tensors.flatMap((tensor) => zeroUncompared(tensor, mask) ?? []);
}

const TENSOR_TYPES: ReadonlySet<unknown> = new Set(['float32', 'int64', 'int32', 'uint8', 'bool']);

function isTensor(value: unknown): value is Tensor {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    TENSOR_TYPES.has(value.type) &&
    'dims' in value &&
    Array.isArray(value.dims) &&
    'data' in value &&
    ArrayBuffer.isView(value.data)
  );
}

function isTensorList(value: unknown): value is readonly Tensor[] {
  return Array.isArray(value) && value.every(isTensor);
}
