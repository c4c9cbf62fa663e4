import type { StoredTensor } from '@blip2/interfaces';
import { describe, expect, it } from 'vitest';
import { fuseNodes } from './fuse-nodes.ts';
import { Graph } from './graph.ts';
import { activation } from './nn/activation.ts';
import { add, mul, unary } from './ops/elementwise.ts';
import type { Value } from './value.ts';

type F32 = Value<'float32'>;

/** A graph over states `[2, 3, 4]`. */
function written(body: (g: Graph, x: F32, y: F32) => F32): { readonly before: string[]; readonly after: string[] } {
  const g = new Graph();
  const states = (name: string): F32 => g.input(name, 'float32', [2, 3, 4]);
  g.output('result', body(g, states('x'), states('y')));
  const shown = (nodes: typeof g.nodes): string[] => nodes.map(({ opType, input, output }) => `${output.join()} = ${opType}(${input.join()})`);
  return { before: shown(g.nodes), after: shown(fuseNodes(g)) };
}
const weight = (g: Graph, name: string, shape: readonly number[] = [4]): F32 =>
  g.external('float32', { name, shape, dtype: 'F32', byteOffset: 0, byteLength: 16, file: 'w' } as unknown as StoredTensor, 'w');
const norm = (g: Graph, x: F32): F32 => g.node('LayerNormalization', [x, weight(g, 'scale'), weight(g, 'shift')], { type: 'float32', axes: x.axes }, { attributes: { axis: { int: -1 }, epsilon: { float: 0.5 } } });

describe('what is fused', () => {
  it('a bias before GELU', () => {
    const { after } = written((g, x) => activation(g, add(g, x, weight(g, 'bias')), 'gelu'));
    expect(after).toEqual(['Gelu = BiasGelu(x,bias)', 'result = Identity(Gelu)']);
  });

  it('a residual before a norm, the sum kept for who reads it later', () => {
    const { after } = written((g, x, y) => {
      const sum = add(g, x, y);
      return add(g, sum, norm(g, sum));
    });
    expect(after).toEqual(['LayerNormalization,,,Add = SkipLayerNormalization(x,y,scale,shift)', 'Add_1 = Add(Add,LayerNormalization)', 'result = Identity(Add_1)']);
  });

  it.each(['behind', 'before'] as const)('a residual with a bias %s it', (order) => {
    const { after } = written((g, x, y) => {
      const biased = add(g, y, weight(g, 'bias'));
      return norm(g, order === 'behind' ? add(g, x, biased) : add(g, biased, x));
    });
    expect(after).toEqual([`LayerNormalization,,,Add_1 = SkipLayerNormalization(y,x,scale,shift,bias)`, 'result = Identity(LayerNormalization)']);
  });

  it('keeps the epsilon of the norm', () => {
    const g = new Graph();
    norm(g, add(g, g.input('x', 'float32', [2, 3, 4]), g.input('y', 'float32', [2, 3, 4])));
    const [fused] = fuseNodes(g);
    expect(fused?.attribute.map(({ name, f }) => [name, f])).toEqual([['epsilon', 0.5]]);
    expect(fused?.domain).toBe('com.microsoft');
  });

  it('layer after layer', () => {
    const { after } = written((g, x, y) => {
      const first = add(g, x, add(g, y, weight(g, 'bias')));
      return norm(g, add(g, first, norm(g, first)));
    });
    expect(after).toEqual([
      'LayerNormalization,,,Add_1 = SkipLayerNormalization(y,x,scale,shift,bias)', 'LayerNormalization_1,,,Add_2 = SkipLayerNormalization(Add_1,LayerNormalization,scale,shift)', 'result = Identity(LayerNormalization_1)',
    ]);
  });
});

describe('what stays', () => {
  it.each<[string, Parameters<typeof written>[0]]>([
    ['a biased sum that others read too', (g, x) => {
      const sum = add(g, x, weight(g, 'bias'));
      return mul(g, sum, activation(g, sum, 'gelu'));
    }],
    ['a table that is no bias', (g, x) => activation(g, add(g, x, weight(g, 'table', [3, 4])), 'gelu')],
    ['other activations', (g, x) => activation(g, add(g, x, weight(g, 'bias')), 'gelu_new')],
    ['a table before a norm', (g, x) => norm(g, add(g, x, weight(g, 'table', [1, 3, 4])))],
    ['a row that all states get', (g, x) => norm(g, add(g, unary(g, 'Tanh', g.input('row', 'float32', [1, 3, 4])), x))],
    ['a norm without a sum', (g, x) => norm(g, unary(g, 'Tanh', x))],
    ['a sum that is read before it is normed', (g, x, y) => {
      const sum = add(g, x, y);
      const read = unary(g, 'Tanh', sum);
      return mul(g, read, norm(g, sum));
    }],
  ])('%s', (_, body) => {
    const { before, after } = written(body);
    expect(after).toEqual(before);
  });
});
