import type { StoredTensor } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { Graph } from './graph.ts';
import { unary } from './ops/elementwise.ts';

describe('Graph', () => {
  test('gives nodes unique names under the path of their layer', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [2]);
    const names = g.scope('encoder.layers.0', () => [
      unary(g, 'Tanh', x).name,
      unary(g, 'Tanh', x).name,
      g.scope('encoder.layers.0.mlp', () => unary(g, 'Tanh', x).name),
    ]);
    expect(names).toEqual(['encoder.layers.0/Tanh', 'encoder.layers.0/Tanh_1', 'encoder.layers.0.mlp/Tanh']);
    expect(unary(g, 'Tanh', x).name).toBe('Tanh');
  });

  test('restores the scope when the body throws', () => {
    const g = new Graph();
    expect(() =>
      g.scope('layer', () => {
        throw new RangeError('no');
      }),
    ).toThrow(RangeError);
    expect(unary(g, 'Tanh', g.input('x', 'float32', [2])).name).toBe('Tanh');
  });

  test('never names a node like an input', () => {
    const g = new Graph();
    const x = g.input('Tanh', 'float32', [2]);
    expect(unary(g, 'Tanh', x).name).not.toBe('Tanh');
  });

  test('stores equal constants once and different ones separately', () => {
    const g = new Graph();
    const one = g.constant('int64', [2], [1, 2]);
    expect(g.constant('int64', [2], [1, 2])).toBe(one);
    const others = [
      g.constant('int64', [1, 2], [1, 2]),
      g.constant('float32', [2], [1, 2]),
      g.constant('int64', [2], [2, 1]),
    ];
    expect(new Set([one, ...others].map(({ name }) => name)).size).toBe(4);
    expect(g.initializers).toHaveLength(4);
    expect(new BigInt64Array(g.initializers[0]?.rawData?.slice().buffer ?? new ArrayBuffer(0))).toEqual(
      BigInt64Array.of(1n, 2n),
    );
  });

  test('names each output of a node', () => {
    const g = new Graph();
    const spec = { type: 'float32', axes: [1] } as const;
    const values = g.multiNode('Split', [g.input('x', 'float32', [2])], [spec, spec]);
    expect(values.map(({ name }) => name)).toEqual(['Split:0', 'Split:1']);
    expect(g.nodes[0]?.output).toEqual(['Split:0', 'Split:1']);
  });

  test('encodes an omitted input as an empty name', () => {
    const g = new Graph();
    g.node('Resize', [g.input('x', 'float32', [2]), undefined, g.input('sizes', 'int64', [1])], {
      type: 'float32',
      axes: [2],
    });
    expect(g.nodes[0]?.input).toEqual(['x', '', 'sizes']);
  });

  test('builds a result once per kind and key', () => {
    const g = new Graph();
    const [x, y] = [g.input('x', 'float32', [1]), g.input('y', 'float32', [1])];
    let calls = 0;
    const build = (): number => ++calls;
    expect([g.once('a', x, build), g.once('a', x, build), g.once('a', y, build), g.once('b', x, build)]).toEqual([
      1, 1, 2, 3,
    ]);
    expect(new Graph().once('a', x, build)).toBe(4);
  });

  test('records the sign of a value', () => {
    const g = new Graph();
    const x = g.input('x', 'float32', [1]);
    expect(g.signOf(x)).toBe('signed');
    expect(g.markSign(x, 'nonNegative')).toBe(x);
    expect(g.signOf(x)).toBe('nonNegative');
    expect(new Graph().signOf(x)).toBe('signed');
  });

  test('refers to a stored tensor instead of copying it', () => {
    const g = new Graph();
    const stored: StoredTensor = {
      name: 'w',
      dtype: 'F16',
      shape: [2, 3],
      file: '/models/a/x.safetensors',
      byteOffset: 104,
      byteLength: 12,
    };
    expect(g.external('float16', stored, 'a/x.safetensors')).toEqual({ name: 'w', type: 'float16', axes: [2, 3] });
    expect(g.initializers[0]).toEqual({
      stored,
      name: 'w',
      dims: [2, 3],
      dataType: 10,
      externalData: { location: 'a/x.safetensors', offset: '104', length: '12' },
    });
  });
});
