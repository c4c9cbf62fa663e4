import type { StoredType, TensorType } from '@blip2/interfaces';

/** Element types of values inside a graph. Inputs and outputs of a graph are limited to `TensorType`. */
export type ElementType = TensorType | 'float16' | 'bfloat16' | 'int8' | 'float64';

/** `TensorProto.DataType` of each element type. */
export const DATA_TYPE: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** Element type of each safetensors type that a graph can map in place. */
export const ELEMENT_TYPE: Readonly<Partial<Record<StoredType, ElementType>>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
};

/** Element types of the constants that a graph stores itself. */
export type ConstantType = 'int64' | 'float32' | 'uint8';

/** The little-endian bytes of a constant. */
export function rawData(type: ConstantType, numbers: readonly number[]): Uint8Array {
  const data =
    type === 'int64'
      ? BigInt64Array.from(numbers, BigInt)
      : type === 'uint8'
        ? Uint8Array.from(numbers)
        : Float32Array.from(numbers);
  return new Uint8Array(data.buffer);
}
