import { describe, expect, test } from 'vitest';

import { Graph } from '../graph.ts';
import { rotaryEmbedding, type Rotations } from './rotary-embedding.ts';

function rotations(g: Graph, pairs: number): Rotations {
  return {
    rows: g.input('rows', 'int64', ['batch', 'sequence']),
    cos: g.input('cos', 'float32', ['rotations', pairs]),
    sin: g.input('sin', 'float32', ['rotations', pairs]),
  };
}

describe('rotaryEmbedding', () => {
  test('keeps the shape', () => {
    const g = new Graph();
    const turned = rotaryEmbedding(g, g.input('x', 'float32', ['batch', 'sequence', 24]), rotations(g, 3));
    expect(turned).toMatchObject({ type: 'float32', axes: ['batch', 'sequence', 24] });
    expect(g.nodes[0]).toMatchObject({
      opType: 'RotaryEmbedding',
      domain: 'com.microsoft',
      input: ['x', 'rows', 'cos', 'sin'],
    });
  });

  test.each([[['batch', 'sequence', 20]], [['batch', 4, 'sequence', 6]], [['batch', 'sequence', 'hidden']]])(
    'rejects heads that do not match the rotations: %j',
    (axes) => {
      const g = new Graph();
      expect(() => rotaryEmbedding(g, g.input('x', 'float32', axes), rotations(g, 3))).toThrow(
        expect.objectContaining({ code: 'SHAPE_MISMATCH' }),
      );
    },
  );
});
