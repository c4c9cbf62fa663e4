import { describe, expect, test } from 'vitest';

import { hasExactByteProducts } from './processor-features.ts';

describe('products of bytes', () => {
  test.each([
    ['flags : fpu avx2 avx512_vnni avx512_bf16', true],
    ['flags : fpu avx2 avx_vnni', true],
    ['flags : fpu avx2 avx512f avx512bw', false],
  ])('%s: exact is %s', (cpuInfo, exact) => {
    expect(hasExactByteProducts('x64', () => cpuInfo)).toBe(exact);
  });

  test('are not assumed to be exact if the instruction sets are unknown', () => {
    const unreadable = (): string => {
      throw new TypeError('no such file');
    };
    expect(hasExactByteProducts('x64', unreadable)).toBe(false);
  });

  test('are exact on Arm', () => {
    expect(hasExactByteProducts('arm64', () => '')).toBe(true);
  });
});
