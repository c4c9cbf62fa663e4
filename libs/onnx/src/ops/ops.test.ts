import type { Axis } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import type { ElementType } from '../element-type.ts';
import { Graph } from '../graph.ts';
import type { Value } from '../value.ts';
import { cast } from './cast.ts';
import { patchConv } from './conv.ts';
import { add, binary, scale, unary } from './elementwise.ts';
import { gather } from './gather.ts';
import { matMul } from './matmul.ts';
import { resizeBicubicLike } from './resize.ts';
import { concat, expandBatch, reshape, slice, splitLast, transpose } from './shape.ts';
import { softmax } from './softmax.ts';

const mismatch: unknown = expect.objectContaining({ name: 'Blip2Error', code: 'SHAPE_MISMATCH' });

function value<T extends ElementType>(type: T, axes: readonly Axis[]): Value<T> {
  return { name: axes.join('×'), type, axes };
}
function f(...axes: Axis[]): Value<'float32'> {
  return value('float32', axes);
}
function ids(...axes: Axis[]): Value<'int64'> {
  return value('int64', axes);
}

type Case = readonly [name: string, write: (g: Graph) => Value, axes: readonly Axis[]];

const shapes: readonly Case[] = [
  ['add broadcasts axes of length 1', (g) => add(g, f('batch', 1, 4), f(3, 1)), ['batch', 3, 4]],
  ['a named axis broadcasts a 1', (g) => add(g, f('batch', 2), f(1, 2)), ['batch', 2]],
  ['scale keeps the shape', (g) => scale(g, f('batch', 5), 2), ['batch', 5]],
  ['unary keeps the shape', (g) => unary(g, 'Tanh', f('n', 2)), ['n', 2]],
  ['softmax keeps the shape', (g) => softmax(g, f('n', 2)), ['n', 2]],
  ['matMul of matrices', (g) => matMul(g, f(2, 3), f(3, 4)), [2, 4]],
  ['matMul with b transposed', (g) => matMul(g, f('batch', 'n', 3), f(4, 3), { transposeB: true }), ['batch', 'n', 4]],
  ['matMul of stacks', (g) => matMul(g, f('batch', 2, 'n', 3), f('batch', 2, 3, 'm')), ['batch', 2, 'n', 'm']],
  ['gather along the first axis', (g) => gather(g, f(10, 4), ids('batch', 'n'), 0), ['batch', 'n', 4]],
  ['gather of one entry drops the axis', (g) => gather(g, f('batch', 7, 4), ids(), 1), ['batch', 4]],
  ['gather along the last axis, from the end', (g) => gather(g, f('batch', 7, 4), ids(2), -1), ['batch', 7, 2]],
  ['reshape keeps axes by 0', (g) => reshape(g, f('batch', 'n', 6), [0, 0, 2, 3]), ['batch', 'n', 2, 3]],
  ['reshape infers a known length', (g) => reshape(g, f('batch', 4, 6), [0, -1]), ['batch', 24]],
  [
    'reshape names an unknown length',
    (g) => reshape(g, f(1, 4, 'rows', 'columns'), [0, 4, -1], 'patches'),
    [1, 4, 'patches'],
  ],
  ['transpose', (g) => transpose(g, f('batch', 'n', 3, 4), [0, 2, 1, 3]), ['batch', 3, 'n', 4]],
  ['concat adds lengths', (g) => concat(g, [f('batch', 2, 5), f('batch', 3, 5)], 1), ['batch', 5, 5]],
  ['concat adds names', (g) => concat(g, [f('batch', 1, 5), f('batch', 'patches', 5)], 1), ['batch', '1+patches', 5]],
  ['concat along the last axis, from the end', (g) => concat(g, [f('batch', 2), f('batch', 3)], -1), ['batch', 5]],
  ['splitLast', (g) => splitLast(g, f('batch', 'n', 9), 3)[2] ?? f(), ['batch', 'n', 3]],
  ['slice to the end', (g) => slice(g, f(1, 10, 4), 1, 1, Infinity), [1, 9, 4]],
  ['slice of an unknown length', (g) => slice(g, f(1, 'n', 4), 1, 2, Infinity), [1, 'n-2', 4]],
  ['slice of all keeps the name', (g) => slice(g, f(1, 'n', 4), 1, 0, Infinity), [1, 'n', 4]],
  ['slice of a range, axis from the end', (g) => slice(g, f(1, 'n', 4), -1, 1, 3), [1, 'n', 2]],
  ['expandBatch', (g) => expandBatch(g, f(1, 3, 4), f('batch', 9)), ['batch', 3, 4]],
  ['patchConv', (g) => patchConv(g, f('batch', 3, 29, 14), { weight: f(8, 3, 14, 14) }), ['batch', 8, 2, 1]],
  [
    'patchConv of unknown size',
    (g) => patchConv(g, f('batch', 3, 'height', 'width'), { weight: f(8, 3, 14, 14), bias: f(8) }),
    ['batch', 8, 'rows', 'columns'],
  ],
  [
    'resizeBicubicLike',
    (g) => resizeBicubicLike(g, f(1, 8, 4, 4), f('batch', 8, 'rows', 'columns')),
    [1, 8, 'rows', 'columns'],
  ],
];

describe('shape inference', () => {
  test.each(shapes)('%s', (_, write, axes) => {
    expect(write(new Graph()).axes).toEqual(axes);
  });

  test('operators that move elements keep the element type', () => {
    const g = new Graph();
    for (const moved of [
      reshape(g, ids(6), [2, 3]),
      transpose(g, ids(1, 2), [1, 0]),
      gather(g, ids(3), ids(1), 0),
      slice(g, ids(3), 0, 0, 1),
      expandBatch(g, ids(1, 2), f('b')),
    ]) {
      expect(moved.type).toBe('int64');
    }
    expect(cast(g, ids(2), 'float32')).toMatchObject({ type: 'float32', axes: [2] });
  });
});

const refused: readonly (readonly [name: string, write: (g: Graph) => unknown])[] = [
  ['add of lengths that differ', (g) => add(g, f(2), f(3))],
  ['add of names that differ', (g) => add(g, f('a'), f('b'))],
  ['a named axis against a length', (g) => binary(g, 'Mul', f('a', 2), f(4, 2))],
  ['matMul of inner lengths that differ', (g) => matMul(g, f(2, 3), f(4, 3))],
  ['matMul of an untransposed b with transposeB', (g) => matMul(g, f(2, 3), f(3, 4), { transposeB: true })],
  ['matMul of a vector', (g) => matMul(g, f(3), f(3, 4))],
  ['matMul of stacks that differ', (g) => matMul(g, f(2, 1, 3), f(5, 3, 4))],
  ['gather along a missing axis', (g) => gather(g, f(2, 3), ids(1), 2)],
  ['reshape to another number of elements', (g) => reshape(g, f(2, 3), [2, 4])],
  ['reshape that does not divide', (g) => reshape(g, f(2, 3), [4, -1])],
  ['reshape whose unknown length has no name', (g) => reshape(g, f('n', 3), [-1])],
  ['reshape that keeps a missing axis', (g) => reshape(g, f(6), [2, 0])],
  ['transpose that omits an axis', (g) => transpose(g, f(2, 3), [0])],
  ['transpose that names an axis twice', (g) => transpose(g, f(2, 3), [0, 0])],
  ['concat of other lengths', (g) => concat(g, [f(2, 3), f(2, 4)], 0)],
  ['concat of other ranks', (g) => concat(g, [f(2, 3), f(2)], 0)],
  ['concat along a missing axis', (g) => concat(g, [f(2), f(2)], 1)],
  ['splitLast that does not divide', (g) => splitLast(g, f('n', 10), 3)],
  ['splitLast of an unknown length', (g) => splitLast(g, f(9, 'n'), 3)],
  ['slice beyond the end', (g) => slice(g, f(3), 0, 0, 4)],
  ['slice from before the start', (g) => slice(g, f('n'), 0, -1, Infinity)],
  ['slice that ends before it starts', (g) => slice(g, f('n'), 0, 3, 2)],
  ['expandBatch of several rows', (g) => expandBatch(g, f(2, 3), f('batch'))],
  ['patchConv of other channels', (g) => patchConv(g, f('batch', 4, 28, 28), { weight: f(8, 3, 14, 14) })],
  ['patchConv of oblong patches', (g) => patchConv(g, f('batch', 3, 28, 28), { weight: f(8, 3, 7, 14) })],
  ['patchConv of unknown patches', (g) => patchConv(g, f('batch', 3, 28, 28), { weight: f(8, 3, 'n', 'n') })],
];

describe('shapes that do not match', () => {
  test.each(refused)('%s', (_, write) => {
    expect(() => write(new Graph())).toThrow(mismatch);
  });
});

describe('cast', () => {
  test('adds no node if the type is the same', () => {
    const g = new Graph();
    const x = f(2);
    expect(cast(g, x, 'float32')).toBe(x);
    expect(g.nodes).toHaveLength(0);
  });
});
