import { Blip2Error } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { decodeError, encodeError } from './error-transfer.ts';

/** Encodes, clones as `postMessage` does, and decodes. */
function across(thrown: unknown): unknown {
  return decodeError(structuredClone(encodeError(thrown)));
}

describe('an error transferred to another thread', () => {
  test('keeps the class, code, details, message, stack and cause of a Blip2Error', () => {
    const error = new Blip2Error('SHAPE_MISMATCH', 'widths differ', {
      expected: '[1]',
      got: '[2]',
      where: 'toy',
      fix: 'Change it.',
      cause: new RangeError('deep'),
    });
    const received = across(error);
    expect(received).toBeInstanceOf(Blip2Error);
    if (!(received instanceof Blip2Error)) return;
    expect(received).toMatchObject({
      name: 'Blip2Error',
      code: 'SHAPE_MISMATCH',
      message: 'widths differ (toy): expected [1], got [2]. Change it.',
      stack: error.stack,
    });
    expect(received.details).toMatchObject({ expected: '[1]', got: '[2]', where: 'toy', fix: 'Change it.' });
    expect(received.cause).toBeInstanceOf(RangeError);
    expect(received.cause).toMatchObject({ message: 'deep' });
  });

  test('keeps the class of an AbortError and a TimeoutError', () => {
    for (const name of ['AbortError', 'TimeoutError']) {
      const received = across(new DOMException('stopped', name));
      expect(received).toBeInstanceOf(DOMException);
      expect(received).toMatchObject({ name, message: 'stopped' });
    }
  });

  test('keeps the class of standard errors and the name of others', () => {
    expect(across(new TypeError('wrong'))).toBeInstanceOf(TypeError);
    expect(across(new SyntaxError('wrong'))).toBeInstanceOf(SyntaxError);
    expect(across(Object.assign(new Error('x'), { name: 'CustomError' }))).toMatchObject({
      name: 'CustomError',
      message: 'x',
    });
  });

  test('keeps the fields of a system error that can be copied', () => {
    const received = across(
      Object.assign(new Error('no such file'), { code: 'ENOENT', errno: -2, path: '/nowhere', handler: () => 1 }),
    );
    expect(received).toMatchObject({ code: 'ENOENT', errno: -2, path: '/nowhere' });
    expect(received).not.toHaveProperty('handler');
  });

  test('keeps the errors of an AggregateError', () => {
    const received = across(new AggregateError([new TypeError('one'), 'two'], 'both'));
    expect(received).toBeInstanceOf(AggregateError);
    if (received instanceof AggregateError) expect(received.errors).toEqual([expect.any(TypeError), 'two']);
  });

  test('passes a thrown value that is not an error', () => {
    expect(across('just text')).toBe('just text');
    expect(across(undefined)).toBeUndefined();
    expect(across(Symbol('odd'))).toBe('Symbol(odd)');
  });

  test('cuts off a circular chain of causes', () => {
    const first = new Error('first');
    const second = new Error('second', { cause: first });
    Object.assign(first, { cause: second });
    expect(across(first)).toMatchObject({
      message: 'first',
      cause: { message: 'second', cause: { message: 'first' } },
    });
  });
});
