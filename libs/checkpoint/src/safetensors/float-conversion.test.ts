import { createHash } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { fromFloat32, toFloat32 } from './float-conversion.ts';

const patterns = 65536;
const bytesOf = (array: Uint16Array | Uint32Array | Float32Array | Float64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const widened = (dtype: 'F16' | 'BF16'): Float32Array => {
  const values = new Float32Array(patterns);
  toFloat32(bytesOf(Uint16Array.from({ length: patterns }, (_, i) => i)), dtype, values);
  return values;
};
const narrowed = (values: Float32Array, dtype: 'F16' | 'BF16'): Uint16Array => {
  const result = new Uint16Array(values.length);
  fromFloat32(values, dtype, bytesOf(result));
  return result;
};
const sha = (array: Uint16Array | Uint32Array): string => createHash('sha256').update(bytesOf(array)).digest('hex');

// SHA-256 of the results of PyTorch 2.13 with canonical NaNs: all 65,536 patterns widened, and 2^20 float32 patterns (i
// · 2654435761 mod 2^32) narrowed.
const reference = {
  F16: {
    widened: '385ff5fe69182797cda5f1827e20cf423f4416bc9246f27d0eec27cac9039259',
    narrowed: '6939760c3b206c144825c0462a6527b7309cde04aa0f411351917c1a8498c6fd',
    nan: 0x7e00,
    infinity: 0x7c00,
  },
  BF16: {
    widened: 'f12e27efe34841dfd6391497b86f389096b03a376586e1d9691bba0a8de3980a',
    narrowed: 'faa0d60a7362bce7e09b3ede520eb2c0cf1ba87e07c032d443eb6545d2be3e4f',
    nan: 0x7fc0,
    infinity: 0x7f80,
  },
};

describe.each(['F16', 'BF16'] as const)('%s', (dtype) => {
  test('widens every pattern as PyTorch does', () => {
    const values = widened(dtype);
    const bits = new Uint32Array(values.buffer).map((pattern, i) => (Number.isNaN(values[i]) ? 0x7fc00000 : pattern));
    expect(sha(bits)).toBe(reference[dtype].widened);
  });

  test('narrows a million patterns as PyTorch does', () => {
    const bits = Uint32Array.from({ length: 2 ** 20 }, (_, i) => Number((BigInt(i) * 2654435761n) & 0xffffffffn));
    const values = new Float32Array(bits.buffer);
    expect(
      sha(narrowed(values, dtype).map((pattern, i) => (Number.isNaN(values[i]) ? reference[dtype].nan : pattern))),
    ).toBe(reference[dtype].narrowed);
  });

  test('round-trips every pattern', () => {
    const values = widened(dtype);
    const back = narrowed(values, dtype);
    const changed = [...back].filter(
      (pattern, i) =>
        pattern !== i &&
        !(
          Number.isNaN(values[i]) &&
          (pattern & reference[dtype].infinity) === reference[dtype].infinity &&
          (pattern & ~0x8000) > reference[dtype].infinity
        ),
    );
    expect(changed).toEqual([]);
  });

  test('rounds to nearest, ties to even, between every two neighbours', () => {
    const values = widened(dtype).subarray(0, reference[dtype].infinity);
    const wrong: number[] = [];
    const between = new Float32Array(3);
    const bits = new Uint32Array(between.buffer);
    for (let low = 0; low + 1 < values.length; low++) {
      between[1] = ((values[low] ?? 0) + (values[low + 1] ?? 0)) / 2;
      bits[0] = (bits[1] ?? 0) - 1;
      bits[2] = (bits[1] ?? 0) + 1;
      const [below, tie, above] = narrowed(between, dtype);
      if (below !== low || above !== low + 1 || tie !== low + (low % 2)) wrong.push(low);
    }
    expect(wrong).toEqual([]);
  });
});

describe('float64 and float32', () => {
  test('rounds float64 and copies float32, also from unaligned bytes', () => {
    const odd = new Uint8Array(25);
    odd.set(bytesOf(Float64Array.of(1 + 2 ** -30, -2, NaN)), 1);
    const values = new Float32Array(3);
    toFloat32(odd.subarray(1), 'F64', values);
    expect([...values]).toEqual([1, -2, NaN]);
    const again = new Uint8Array(24);
    fromFloat32(values, 'F64', again);
    expect([...new Float64Array(again.buffer)]).toEqual([1, -2, NaN]);
    const copied = new Float32Array(3);
    toFloat32(bytesOf(values), 'F32', copied);
    expect(bytesOf(copied)).toEqual(bytesOf(values));
  });
});
