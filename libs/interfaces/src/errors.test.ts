import { expect, test } from 'vitest';

import { defined } from './defined.ts';
import { Blip2Error, mustBe } from './errors.ts';

test('mustBe says which argument was refused, what it must be, what it was, and what to do', () => {
  const error = mustBe('paddingSide', "'left' or 'right'", 'top', { fix: 'Use left for decoder-only models' });
  expect(error).toBeInstanceOf(Blip2Error);
  expect(error.message).toBe("paddingSide must be 'left' or 'right', got \"top\". Use left for decoder-only models");
  expect(error).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { argument: 'paddingSide', expected: "'left' or 'right'", got: '"top"' },
  });
});

test('mustBe takes another code and names values of any kind', () => {
  expect(mustBe('dtype', 'a precision', undefined, { code: 'UNSUPPORTED_DTYPE' }).code).toBe('UNSUPPORTED_DTYPE');
  expect(mustBe('x', 'a number', [1]).message).toBe('x must be a number, got a list');
  expect(mustBe('x', 'a number', { a: 1 }).message).toBe('x must be a number, got an object');
  expect(mustBe('x', 'a number', NaN).message).toBe('x must be a number, got NaN');
  expect(mustBe('x', 'short', 'y'.repeat(500)).message).toHaveLength('x must be short, got '.length + 81);
});

test('defined leaves out what is undefined, and nothing else', () => {
  const options: { threads?: number | undefined; device: string | undefined; cache: null } = {
    threads: undefined,
    device: 'cpu',
    cache: null,
  };
  expect(Object.entries(defined(options))).toEqual([
    ['device', 'cpu'],
    ['cache', null],
  ]);
});
