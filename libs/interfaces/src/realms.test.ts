import { createContext, runInContext } from 'node:vm';

import { describe, expect, test, vi } from 'vitest';

import { Blip2Error, isError, isTypedArray, messageOf } from './index.ts';

const context = createContext({});
/** Evaluates an expression in another context, as test runners do. */
const foreign = (expression: string): unknown => runInContext(expression, context);

describe('values of another context', () => {
  test('are recognized as errors', () => {
    for (const expression of ['new Error("a")', 'new TypeError("a")', 'new (class extends Error {})("a")'])
      expect([isError(foreign(expression)), messageOf(foreign(expression))]).toEqual([true, 'a']);
    expect(isError(new DOMException('a'))).toBe(true);
    for (const value of ['{ message: "a" }', '"a"', 'null', 'undefined', 'Object.create(Error.prototype)'])
      expect(isError(foreign(`(${value})`))).toBe(false);
    expect(messageOf('a')).toBe('a');
  });

  test('are recognized as typed arrays by the names of their classes', () => {
    for (const name of ['Float32Array', 'BigInt64Array', 'Int32Array', 'Uint8Array', 'Uint8ClampedArray'] as const) {
      const value = foreign(`new ${name}(2)`);
      expect([value instanceof globalThis[name], isTypedArray(value, name)]).toEqual([false, true]);
    }
    expect(isTypedArray(Buffer.alloc(1), 'Uint8Array')).toBe(true);
    expect(isTypedArray(foreign('new Float64Array(1)'), 'Float32Array')).toBe(false);
    expect(isTypedArray({ [Symbol.toStringTag]: 'Float32Array' }, 'Float32Array')).toBe(false);
  });
});

describe('instanceof Blip2Error', () => {
  test('accepts errors of another copy of the package', async () => {
    vi.resetModules();
    const other = await import('./errors.ts');
    expect(other.Blip2Error).not.toBe(Blip2Error);
    expect(new other.Blip2Error('MISSING_FILE', 'a')).toBeInstanceOf(Blip2Error);
  });

  test('refuses other errors, and keeps its meaning for subclasses', () => {
    class Special extends Blip2Error {}
    const error = new Blip2Error('MISSING_FILE', 'a');
    expect([error instanceof Error, error instanceof Blip2Error, error instanceof Special]).toEqual([
      true,
      true,
      false,
    ]);
    expect(new Special('MISSING_FILE', 'a')).toBeInstanceOf(Blip2Error);
    expect(new Special('MISSING_FILE', 'a')).toBeInstanceOf(Special);
    for (const value of [new Error('a'), { ...error, name: 'Blip2Error' }, null, undefined, 'a'])
      expect(value instanceof Blip2Error).toBe(false);
  });
});
