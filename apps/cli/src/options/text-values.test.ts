import { describe, expect, test } from 'vitest';

import { distinctTexts, givenTexts, precisionList } from './text-values.ts';

describe('distinctTexts', () => {
  test('keeps the first of equal texts, in order', () => {
    expect(distinctTexts('--text', ['b', 'a', 'b'])).toEqual(['b', 'a']);
  });

  test('drops line ends of lists saved on Windows', () => {
    expect(distinctTexts('--text', ['a b\r', 'a b', ' a\r\n'])).toEqual(['a b', ' a']);
    expect(givenTexts('--text', ['a\r', 'b', 'a'])).toEqual(['a', 'b', 'a']);
  });

  test('rejects empty texts, and names the option', () => {
    expect(() => distinctTexts('--text', ['a', ' '], 'Omit it')).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        message: '--text must be a non-empty text, got " ". Omit it',
      }),
    );
  });
});

describe('precisionList', () => {
  test('splits names at commas; one choice by part is one name', () => {
    expect(precisionList('fp32, fast', 1)).toEqual(['fp32', 'fast']);
    expect(precisionList('vision=int8,language=q4', 1)).toEqual(['vision=int8,language=q4']);
    expect(precisionList('fp32,fp32', 1)).toEqual(['fp32', 'fp32']);
  });

  test.each([
    ['fp32,', 1],
    ['', 1],
    ['fp32', 2],
    ['fp32,fp32', 2],
    ['fp32,', 2],
  ] as const)('rejects %j where at least %i are needed', (dtype, least) => {
    expect(() => precisionList(dtype, least)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});
