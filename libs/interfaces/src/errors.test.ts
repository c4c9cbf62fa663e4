import { expect, test } from 'vitest';

import { defined } from './defined.ts';
import { Blip2Error, mustBe } from './errors.ts';

test('mustBe names the argument, the expected and the given value, and what to do', () => {
  const error = mustBe('paddingSide', "'left' or 'right'", 'top', { fix: 'Use left for decoder-only models' });
  expect(error).toBeInstanceOf(Blip2Error);
  expect(error.message).toBe("paddingSide must be 'left' or 'right', got \"top\". Use left for decoder-only models");
  expect(error).toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { argument: 'paddingSide', expected: "'left' or 'right'", got: '"top"' },
  });
});

test('messages contain where, expected, got and what to do, in that order', () => {
  const details = { where: 'row 2', expected: '1', got: '0', fix: 'Count again' };
  expect(new Blip2Error('SHAPE_MISMATCH', 'Rows differ', details).message).toBe(
    'Rows differ (row 2): expected 1, got 0. Count again',
  );
  expect(mustBe('rows', '1', 0, { where: 'row 2', fix: 'Count again' }).message).toBe(
    'rows must be 1, got 0 (row 2). Count again',
  );
});

test('mustBe takes an error code and formats values of any kind', () => {
  expect(mustBe('dtype', 'a precision', undefined, { code: 'UNSUPPORTED_DTYPE' }).code).toBe('UNSUPPORTED_DTYPE');
  expect(mustBe('x', 'a number', [1]).message).toBe('x must be a number, got a list');
  expect(mustBe('x', 'a number', { a: 1 }).message).toBe('x must be a number, got an object');
  expect(mustBe('x', 'a number', NaN).message).toBe('x must be a number, got NaN');
  expect(mustBe('x', 'short', 'y'.repeat(500)).message).toHaveLength('x must be short, got '.length + 81);
});

test('defined drops undefined members only', () => {
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
