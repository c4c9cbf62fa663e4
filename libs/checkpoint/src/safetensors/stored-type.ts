import type { StoredType } from '@blip2/interfaces';

/** Size of one element in bytes, by type. Types below 8 bits are packed: a tensor of them ends at a whole byte. */
export const ELEMENT_BYTES: Readonly<Record<StoredType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  C64: 8,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  F4: 0.5,
};

/** Whether the format has a type of this name. */
export function isStoredType(name: string): name is StoredType {
  return Object.hasOwn(ELEMENT_BYTES, name);
}

/** Floating-point types of stored tensors. */
export type FloatStoredType = 'F64' | 'F32' | 'F16' | 'BF16';

/** Whether a type is floating point. */
export function isFloatType(dtype: StoredType): dtype is FloatStoredType {
  return dtype === 'F64' || dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/**
 * Size of a tensor in bytes; undefined above 2^53 - 1, where numbers are no longer exact. A fraction if a tensor of a
 * packed type does not end at a whole byte.
 */
export function byteCount(dtype: StoredType, shape: readonly number[]): number | undefined {
  let elements = 1;
  for (const axis of shape) {
    elements *= axis;
    if (!Number.isSafeInteger(elements)) return undefined;
  }
  const bytes = elements * ELEMENT_BYTES[dtype];
  return bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined;
}
