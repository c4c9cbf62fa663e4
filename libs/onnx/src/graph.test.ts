import type { StoredTensor } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { Graph } from './graph.ts';
import { unary } from './ops/elementwise.ts';

describe('Graph', () => {
  test('names nodes by the layer that writes them, each once', () => {
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

  test('leaves a scope also when its body throws', () => {
    const g = new Graph();
    expect(() =>
      g.scope('layer', () => {
        throw new RangeError('no');
      }),
    ).toThrow(RangeError);
    expect(unary(g, 'Tanh', g.input('x', 'float32', [2])).name).toBe('Tanh');
  });

  test('does not give a node the name of an input', () => {
    const g = new Graph();
    const x = g.input('Tanh', 'float32', [2]);
    expect(unary(g, 'Tanh', x).name).not.toBe('Tanh');
  });

  test('stores equal constants once and different ones apart', () => {
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
    expect(new BigInt64Array(g.initializers[0]?.rawData.slice().buffer ?? new ArrayBuffer(0))).toEqual(
      BigInt64Array.of(1n, 2n),
    );
  });

  test('gives the outputs of one node names of their own', () => {
    const g = new Graph();
    const spec = { type: 'float32', axes: [1] } as const;
    const values = g.multiNode('Split', [g.input('x', 'float32', [2])], [spec, spec]);
    expect(values.map(({ name }) => name)).toEqual(['Split:0', 'Split:1']);
    expect(g.nodes[0]?.output).toEqual(['Split:0', 'Split:1']);
  });

  test('writes an input that is left out as an empty name', () => {
    const g = new Graph();
    g.node('Resize', [g.input('x', 'float32', [2]), undefined, g.input('sizes', 'int64', [1])], {
      type: 'float32',
      axes: [2],
    });
    expect(g.nodes[0]?.input).toEqual(['x', '', 'sizes']);
  });

  test('points at a stored tensor instead of copying it', () => {
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
    expect(g.initializers[0]).toMatchObject({
      name: 'w',
      dims: [2n, 3n],
      dataType: 10,
      dataLocation: 1,
      externalData: [
        { key: 'location', value: 'a/x.safetensors' },
        { key: 'offset', value: '104' },
        { key: 'length', value: '12' },
      ],
    });
  });
});
