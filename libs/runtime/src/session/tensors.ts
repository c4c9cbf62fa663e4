import {
  Blip2Error,
  isTypedArray,
  type OnnxModel,
  type OutputsOf,
  type Signature,
  type Tensor,
  type TensorSpec,
  type TensorType,
  type TypedArrays,
} from '@blip2/interfaces';

import { ARRAY_NAMES, mainArray, ownArray } from '../onnxruntime/main-context.ts';
import type { OnnxRuntime, OnnxRuntimeTensor } from '../onnxruntime/onnx-runtime.ts';

/**
 * Converts plain tensors to those of onnxruntime without copying, after comparing them with the signature.
 *
 * @throws Blip2Error `INVALID_ARGUMENT` for a missing input.
 * @throws Blip2Error `SHAPE_MISMATCH` for another type or shape.
 */
export function checkedFeeds(
  runtime: OnnxRuntime,
  { name, signature }: OnnxModel,
  inputs: Readonly<Record<string, Tensor>>,
): Record<string, OnnxRuntimeTensor> {
  const lengths = new Map<string, number>();
  return Object.fromEntries(
    Object.entries(signature.inputs).map(([key, spec]) => {
      const tensor = inputs[key];
      const where = `input ${key} of ${name}`;
      if (!tensor) throw new Blip2Error('INVALID_ARGUMENT', 'Every graph input must be given', { where });
      expectShape(tensor, spec, where, lengths);
      return [key, new runtime.Tensor(tensor.type, mainArray(tensor.type, tensor.data) as never, tensor.dims)];
    }),
  );
}

function expectShape(
  { type, dims, data }: Tensor,
  spec: TensorSpec,
  where: string,
  lengths: Map<string, number>,
): void {
  const expected = spec.axes.map((axis) => (typeof axis === 'number' ? axis : (lengths.get(axis) ?? axis)));
  const fits =
    type === spec.type &&
    dims.length === expected.length &&
    dims.every((length, index) => typeof expected[index] === 'string' || length === expected[index]);
  const size = dims.reduce((product, length) => product * length, 1);
  if (!fits || data.length !== size || !isTypedArray(data, ARRAY_NAMES[type])) {
    throw new Blip2Error('SHAPE_MISMATCH', 'The tensor must match the graph signature', {
      where,
      expected: `${spec.type} [${expected.join(', ')}]`,
      got: `${type} [${dims.join(', ')}] with ${data.length} elements in a ${data.constructor.name}`,
    });
  }
  spec.axes.forEach((axis, index) => typeof axis === 'string' && lengths.set(axis, dims[index] ?? 0));
}

/** Results of onnxruntime as plain tensors over the same memory. They outlive the session and can be transferred. */
export function plainOutputs<S extends Signature>(
  results: Readonly<Record<string, OnnxRuntimeTensor>>,
  { outputs }: S,
): OutputsOf<S> {
  const entries = Object.keys(outputs).map((key) => {
    const result = results[key];
    if (!result) return [key, result];
    const type = result.type as TensorType;
    return [key, { type, dims: result.dims, data: ownArray(type, result.data as TypedArrays[TensorType]) }];
  });
  return Object.fromEntries(entries) as OutputsOf<S>;
}
