import type { StoredType } from '@blip2/interfaces';

/** Bytes of one element. */
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

export function isStoredType(name: string): name is StoredType {
  return Object.hasOwn(ELEMENT_BYTES, name);
}

/**
 * Types of the format that no part of a BLIP-2 uses. They are named, so that the error can tell "unsupported" from
 * "nonsense".
 */
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

export type FloatStoredType = 'F64' | 'F32' | 'F16' | 'BF16';

export function isFloatType(dtype: StoredType): dtype is FloatStoredType {
  return dtype === 'F64' || dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** Product of the axes times the element size; undefined above 2^53 - 1, where numbers stop being exact. */
export function byteCount(dtype: StoredType, shape: readonly number[]): number | undefined {
  let bytes = ELEMENT_BYTES[dtype];
  for (const axis of shape) {
    bytes *= axis;
    if (!Number.isSafeInteger(bytes)) return undefined;
  }
  return bytes;
}
