import { f32 } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { buildGraph } from '../build-graph.ts';
import type { Graph } from '../graph.ts';
import { layerNorm } from '../nn/layer-norm.ts';
import { linear } from '../nn/linear.ts';
import { rmsNorm } from '../nn/rms-norm.ts';
import { add } from '../ops/elementwise.ts';
import type { F32 } from '../value.ts';
import type { Weights } from '../weights.ts';
import { recordGraphs } from './record-weights.ts';

const square = { inFeatures: 8, outFeatures: 8, bias: true } as const;
const norm = (g: Graph, x: F32, root: Weights): F32 => layerNorm(g, x, root.at('norm'), { epsilon: 1e-5 });

function foldsOf(...bodies: readonly ((g: Graph, x: F32, root: Weights) => F32)[]): unknown {
  return recordGraphs((weights) => {
    for (const body of bodies)
      buildGraph(
        { name: 'g', signature: { inputs: { x: f32('batch', 8) }, outputs: { y: f32('batch', 8) } }, weights },
        (g, { x }, root) => ({ y: body(g, x, root) }),
      );
  }).folds;
}

describe('norms that can be folded', () => {
  test('are those consumed by linear layers only', () => {
    expect(
      foldsOf((g, x, root) => {
        const states = norm(g, x, root);
        return add(g, x, add(g, linear(g, states, root.at('q'), square), linear(g, states, root.at('k'), square)));
      }),
    ).toEqual([{ norm: 'norm.weight', shift: 'norm.bias', layers: ['q.weight', 'k.weight'] }]);
    expect(
      foldsOf((g, x, root) => linear(g, rmsNorm(g, x, root.at('norm'), { epsilon: 1e-5 }), root.at('fc'), square)),
    ).toEqual([{ norm: 'norm.weight', layers: ['fc.weight'] }]);
  });

  test('exclude norms that are also added to something or returned', () => {
    expect(
      foldsOf((g, x, root) => {
        const states = norm(g, x, root);
        return add(g, states, linear(g, states, root.at('fc'), square));
      }),
    ).toEqual([]);
    expect(foldsOf(norm)).toEqual([]);
  });

  test('exclude norms without weights', () => {
    expect(
      foldsOf((g, x, root) =>
        linear(g, layerNorm(g, x, root.at('norm'), { epsilon: 1e-5, affine: false }), root.at('fc'), square),
      ),
    ).toEqual([]);
  });

  test('exclude norms with a weight that is used twice, in one graph or in two', () => {
    expect(
      foldsOf((g, x, root) =>
        linear(g, norm(g, linear(g, norm(g, x, root), root.at('a'), square), root), root.at('b'), square),
      ),
    ).toEqual([]);
    expect(
      foldsOf((g, x, root) => linear(g, linear(g, norm(g, x, root), root.at('fc'), square), root.at('fc'), square)),
    ).toEqual([]);
    expect(
      foldsOf(
        (g, x, root) => linear(g, norm(g, x, root), root.at('fc'), square),
        (g, x, root) => linear(g, x, root.at('fc'), square),
      ),
    ).toEqual([]);
  });
});
