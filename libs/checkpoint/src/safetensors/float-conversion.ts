import type { FloatStoredType } from './stored-type.ts';

/*
 * Conversion of float16, bfloat16 and float64 to and from float32 (IEEE 754). Narrowing rounds to nearest, ties to
 * even, as PyTorch does. Element bytes are little-endian, the byte order of every platform that the runtime supports.
 */

/** Scratch space to reinterpret a float32 as its bits. */
const float32 = new Float32Array(1);
const bits32 = new Uint32Array(float32.buffer);
const QUIET_NAN_FLOAT16 = 0x7e00;
const QUIET_NAN_BFLOAT16 = 0x7fc0;

let halves: Float32Array | undefined;

/** The value of every float16 bit pattern. */
function halfTable(): Float32Array {
  return (halves ??= Float32Array.from({ length: 65536 }, (_, pattern) => {
    const sign = pattern & 0x8000 ? -1 : 1;
    const exponent = (pattern >> 10) & 0x1f;
    const fraction = pattern & 0x3ff;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }));
}

/** The float16 bit pattern nearest to the float32 bit pattern `bits`. */
function toHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | QUIET_NAN_FLOAT16;
  // Values from 65520 up round to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const shifted = magnitude - 0x38000000;
    return sign | ((shifted + 0xfff + ((shifted >>> 13) & 1)) >>> 13);
  }
  // Subnormal patterns below 2^-14 count steps of 2^-24, the last place of a float32 near 0.5: the addition rounds.
  float32[0] = 0;
  bits32[0] = magnitude;
  float32[0] = (float32[0] ?? 0) + 0.5;
  return sign | ((bits32[0] ?? 0) - 0x3f000000);
}

/** The bfloat16 bit pattern nearest to the float32 bit pattern `bits`. */
function toBFloat(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) & 0x8000) | QUIET_NAN_BFLOAT16;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The same bytes, aligned to elements of `size` bytes. Copies them only if they are not aligned. */
function aligned(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

/** Converts the elements in `bytes` to float32. `bytes` contains whole elements. */
export function toFloat32(bytes: Uint8Array, dtype: FloatStoredType, target: Float32Array): void {
  if (dtype === 'F32') target.set(floats(bytes));
  else if (dtype === 'F64') target.set(doubles(bytes));
  else if (dtype === 'F16') widenHalves(shorts(bytes), target);
  else widenBFloats(shorts(bytes), target);
}

function widenHalves(source: Uint16Array, target: Float32Array): void {
  const table = halfTable();
  for (let i = 0; i < source.length; i++) target[i] = table[source[i] ?? 0] ?? 0;
}

function widenBFloats(source: Uint16Array, target: Float32Array): void {
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < source.length; i++) bits[i] = (source[i] ?? 0) << 16;
}

/** Converts float32 elements to type `dtype`. `target` has the same number of elements and is aligned to them. */
export function fromFloat32(source: Float32Array, dtype: FloatStoredType, target: Uint8Array): void {
  if (dtype === 'F32') return floats(target).set(source);
  if (dtype === 'F64') return doubles(target).set(source);
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const narrow = dtype === 'F16' ? toHalf : toBFloat;
  const patterns = shorts(target);
  for (let i = 0; i < patterns.length; i++) patterns[i] = narrow(bits[i] ?? 0);
}

function shorts(bytes: Uint8Array): Uint16Array {
  const whole = aligned(bytes, 2);
  return new Uint16Array(whole.buffer, whole.byteOffset, whole.byteLength / 2);
}

function floats(bytes: Uint8Array): Float32Array {
  const whole = aligned(bytes, 4);
  return new Float32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4);
}

function doubles(bytes: Uint8Array): Float64Array {
  const whole = aligned(bytes, 8);
  return new Float64Array(whole.buffer, whole.byteOffset, whole.byteLength / 8);
}
