import { describe, expect, test } from 'vitest';

import { refuseLfsPointer } from './lfs-pointer.ts';

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d7a'.repeat(16)}\nsize 9999999999\n`;
const check = (content: string): void =>
  refuseLfsPointer(new TextEncoder().encode(content), 'here', 'INVALID_CHECKPOINT');

describe('refuseLfsPointer', () => {
  test.each([
    ['a pointer', POINTER],
    ['a pointer with Windows line ends', POINTER.replaceAll('\n', '\r\n')],
  ])('refuses %s and names the size of the file', (_, content) => {
    expect(() => check(content)).toThrow(
      expect.objectContaining({
        code: 'INVALID_CHECKPOINT',
        details: expect.objectContaining({ where: 'here', expected: '9999999999 bytes' }) as object,
      }),
    );
  });
  test.each([
    ['nothing', ''],
    ['another version of something', 'version 1\nsize 3\n'],
    ['JSON that contains one', JSON.stringify(POINTER)],
    ['weights', '\u0002\0\0\0\0\0\0\0{}'],
  ])('accepts %s', (_, content) => {
    expect(() => check(content)).not.toThrow();
  });
});
