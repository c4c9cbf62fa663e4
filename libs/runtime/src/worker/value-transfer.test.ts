import { Blip2Error } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { decodeValue, encodeValue, notTransferable } from './value-transfer.ts';

/** Encodes plain data, clones it as `postMessage` does, and decodes it. */
function across<T>(value: T): unknown {
  const encoded = encodeValue(value, 'value', (found, path) => {
    if (typeof found === 'function') throw notTransferable(path, 'a function');
    return 'walk';
  });
  return decodeValue(structuredClone(encoded), () => undefined);
}

describe('a value transferred to another thread', () => {
  test('arrives equal: nested data, typed arrays, collections, dates', () => {
    const value = {
      none: null,
      missing: undefined,
      big: 3n,
      text: 'x',
      list: [1, [Number.NaN, Infinity]],
      date: new Date(5),
      set: new Set([{ a: 1 }]),
      map: new Map([['k', { b: Float32Array.of(1) }]]),
      long: BigInt64Array.of(1n, -2n),
      bytes: Uint8Array.of(1, 2),
    };
    expect(across(value)).toStrictEqual(value);
  });

  test('keeps identity and circular references', () => {
    const data = Float32Array.of(1);
    const value: Record<string, unknown> = { one: { data }, two: { data } };
    value['self'] = value;
    const received = across(value);
    expect(received).toMatchObject({ one: { data }, two: { data } });
    if (typeof received !== 'object' || received === null) return;
    const read = (...path: string[]): unknown =>
      path.reduce<unknown>((at, key) => Reflect.get(Object(at), key), received);
    expect(read('self')).toBe(received);
    expect(read('one', 'data')).toBe(read('two', 'data'));
  });

  test('sends the bytes of a view without its entire buffer, and a copy of shared memory', () => {
    const around = new Float32Array(1000);
    around.fill(7, 10, 12);
    expect(across(around.subarray(10, 12))).toStrictEqual(Float32Array.of(7, 7));
    const view = encodeValue(around.subarray(10, 12), 'value', () => 'walk');
    expect(view).toMatchObject({ byteOffset: 0, buffer: { byteLength: 8 } });
    const pooled = encodeValue(Buffer.from('ab'), 'value', () => 'walk');
    expect(pooled).toStrictEqual(Uint8Array.of(97, 98));
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    const copied = encodeValue({ shared, buffer: shared.buffer }, 'value', () => 'walk');
    expect(copied).toStrictEqual({ shared: new Uint8Array(2), buffer: new ArrayBuffer(2) });
  });

  test('converts an instance that is a tensor to plain data', () => {
    class RuntimeTensor {
      readonly type = 'float32';
      readonly dims = [1];
      get data(): Float32Array {
        return Float32Array.of(4);
      }
      reshape(): void {}
    }
    expect(across({ logits: new RuntimeTensor() })).toStrictEqual({
      logits: { type: 'float32', dims: [1], data: Float32Array.of(4) },
    });
  });

  test('keeps the class of errors', () => {
    const received = across({ failed: new Blip2Error('NOT_FINITE', 'nan') });
    expect(received).toMatchObject({ failed: { code: 'NOT_FINITE' } });
  });

  test('rejects values that are not data, with their path', () => {
    expect(() => across({ list: [{ id: Symbol('x') }] })).toThrow(
      expect.objectContaining({
        code: 'INVALID_ARGUMENT',
        details: expect.objectContaining({ where: 'value.list[0].id' }),
      }),
    );
    expect(() => across(new Map([['key', () => 1]]))).toThrow(/value\.get\(key\)/);
    expect(() => across({ $part: 'handle', handle: 1 })).toThrow(/reserved key/);
  });

  test('does not let a key named __proto__ change a prototype', () => {
    const received = across(JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(Object.getPrototypeOf(received)).toBe(Object.prototype);
    expect(received).not.toHaveProperty('polluted');
  });
});
