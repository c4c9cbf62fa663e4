import type { StoredType } from '@blip2/interfaces';

/** Size of one element in bytes, by type. */
export const ELEMENT_BYTES: Readonly<Record<StoredType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Whether a type name is supported. */
export function isStoredType(name: string): name is StoredType {
  return Object.hasOwn(ELEMENT_BYTES, name);
}

/** Types of the format that BLIP-2 does not use. Listed so that errors distinguish unsupported from unknown types. */
export const UNSUPPORTED_TYPES: readonly string[] = [
  'U64',
  'U32',
  'U16',
  'F8_E4M3',
  'F8_E5M2',
  'F8_E8M0',
  'F6_E2M3',
  'F6_E3M2',
  'F4',
  'C64',
  'E8M0',
];

/** Floating-point types of stored tensors. */
export type FloatStoredType = 'F64' | 'F32' | 'F16' | 'BF16';

/** Whether a type is floating point. */
export function isFloatType(dtype: StoredType): dtype is FloatStoredType {
  return dtype === 'F64' || dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** Size of a tensor in bytes; undefined above 2^53 - 1, where numbers are no longer exact. */
export function byteCount(dtype: StoredType, shape: readonly number[]): number | undefined {
  let bytes = ELEMENT_BYTES[dtype];
  for (const axis of shape) {
    bytes *= axis;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}
