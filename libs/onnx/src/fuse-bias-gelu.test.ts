import type { StoredTensor } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { fuseBiasGelu } from './fuse-bias-gelu.ts';
import { Graph } from './graph.ts';
import { activation } from './nn/activation.ts';
import { add, mul } from './ops/elementwise.ts';
import type { F32 } from './value.ts';

/** A graph over states `[2, 3, 4]`. */
function build(body: (g: Graph, x: F32) => F32): { readonly before: string[]; readonly after: string[] } {
  const g = new Graph();
  g.output('result', body(g, g.input('x', 'float32', [2, 3, 4])));
  const shown = (nodes: typeof g.nodes): string[] =>
    nodes.map(({ opType, domain, input, output }) => `${output.join()} = ${domain}:${opType}(${input.join()})`);
  return { before: shown(g.nodes), after: shown(fuseBiasGelu(g)) };
}
const weight = (g: Graph, name: string, shape: readonly number[] = [4]): F32 =>
  g.external(
    'float32',
    { name, shape, dtype: 'F32', byteOffset: 0, byteLength: 16, file: 'w' } satisfies StoredTensor,
    'w',
  );

test('fuses a bias with the GELU after it in every layer', () => {
  const { after } = build((g, x) =>
    activation(g, add(g, activation(g, add(g, x, weight(g, 'first')), 'gelu'), weight(g, 'second')), 'gelu'),
  );
  expect(after).toEqual([
    'Gelu = com.microsoft:BiasGelu(x,first)',
    'Gelu_1 = com.microsoft:BiasGelu(Gelu,second)',
    'result = :Identity(Gelu_1)',
  ]);
});

describe('additions that stay', () => {
  test.each<[string, Parameters<typeof build>[0]]>([
    [
      'a sum with a second use',
      (g, x) => {
        const sum = add(g, x, weight(g, 'bias'));
        return mul(g, sum, activation(g, sum, 'gelu'));
      },
    ],
    ['a table that is no bias', (g, x) => activation(g, add(g, x, weight(g, 'table', [3, 4])), 'gelu')],
    ['a GELU of something else', (g, x) => activation(g, mul(g, x, weight(g, 'scale')), 'gelu')],
    ['other activations', (g, x) => activation(g, add(g, x, weight(g, 'bias')), 'gelu_new')],
  ])('%s', (_, body) => {
    const { before, after } = build(body);
    expect(after).toEqual(before);
  });
});
