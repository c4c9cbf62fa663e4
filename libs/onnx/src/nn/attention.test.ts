import { f32 } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { buildGraph } from '../build-graph.ts';
import { expectClose, type F32, type GraphCase, probabilities, random, runGraph } from '../fixtures/run-graph.ts';
import { attention } from './attention.ts';

describe('attention', () => {
  const [batch, queries, keys, past, heads, size] = [2, 3, 4, 2, 2, 3];
  const hidden = heads * size;
  const inputs = {
    query: random(batch, queries, hidden),
    key: random(batch, keys, hidden),
    value: random(batch, keys, hidden),
    pastKey: random(batch, heads, past, size),
    pastValue: random(batch, heads, past, size),
    headMask: random(heads, 1, 1),
    bias: random(batch, 1, queries, past + keys),
    shortBias: random(batch, 1, queries, keys),
  };
  interface Variant {
    readonly past: boolean;
    readonly bias: boolean;
    readonly headMask: boolean;
    readonly scale?: number;
  }

  function plain(variant: Variant): { context: number[]; maps: number[] } {
    const offset = variant.past ? past : 0;
    const total = offset + keys;
    const bias = variant.past ? inputs.bias : inputs.shortBias;
    const entry = (pastRows: Float32Array, rows: Float32Array, b: number, h: number, k: number, i: number): number =>
      (k < offset
        ? pastRows[((b * heads + h) * past + k) * size + i]
        : rows[(b * keys + k - offset) * hidden + h * size + i]) ?? Number.NaN;
    const context = new Array<number>(batch * queries * hidden).fill(0);
    const maps: number[] = [];
    for (let b = 0; b < batch; b++)
      for (let h = 0; h < heads; h++)
        for (let q = 0; q < queries; q++) {
          const scores = Array.from({ length: total }, (_, k) => {
            let score = 0;
            for (let i = 0; i < size; i++)
              score +=
                (inputs.query.data[(b * queries + q) * hidden + h * size + i] ?? 0) *
                entry(inputs.pastKey.data, inputs.key.data, b, h, k, i);
            return (
              score * (variant.scale ?? 1 / Math.sqrt(size)) +
              (variant.bias ? (bias.data[(b * queries + q) * total + k] ?? 0) : 0)
            );
          });
          const weights = probabilities(scores);
          maps.push(...weights);
          const factor = variant.headMask ? (inputs.headMask.data[h] ?? 0) : 1;
          for (let i = 0; i < size; i++) {
            context[(b * queries + q) * hidden + h * size + i] =
              factor *
              weights.reduce(
                (sum, weight, k) => sum + weight * entry(inputs.pastValue.data, inputs.value.data, b, h, k, i),
                0,
              );
          }
        }
    return { context, maps };
  }

  const body =
    (variant: Variant, result: 'context' | 'probabilities', maps: boolean): GraphCase['body'] =>
    (g, values) => {
      const bias = values[variant.past ? 'bias' : 'shortBias'] as F32;
      const outputs = attention(
        g,
        {
          query: values['query'] as F32,
          key: values['key'] as F32,
          value: values['value'] as F32,
          ...(variant.past && { past: { key: values['pastKey'] as F32, value: values['pastValue'] as F32 } }),
          ...(variant.bias && { bias }),
          ...(variant.headMask && { headMask: values['headMask'] as F32 }),
        },
        { numHeads: heads, probabilities: maps, ...(variant.scale !== undefined && { scale: variant.scale }) },
      );
      return outputs[result] ?? outputs.context;
    };

  const variants: readonly (readonly [string, Variant])[] = [
    ['alone', { past: false, bias: false, headMask: false }],
    ['with a bias', { past: false, bias: true, headMask: false }],
    ['with a past and a bias', { past: true, bias: true, headMask: false }],
    ['with a past', { past: true, bias: false, headMask: false }],
    ['with a factor per head', { past: false, bias: true, headMask: true }],
    ['with another scale (T5)', { past: true, bias: true, headMask: false, scale: 1 }],
  ];
  describe.each(variants)('%s', (_, variant) => {
    test.each([
      ['fused', false],
      ['plain', true],
    ])('%s', async (__, maps) => {
      expectClose(
        await runGraph({ inputs, output: [batch, queries, hidden], body: body(variant, 'context', maps) }),
        plain(variant).context,
      );
    });
    test('returns the attention maps', async () => {
      const total = keys + (variant.past ? past : 0);
      expectClose(
        await runGraph({ inputs, output: [batch, heads, queries, total], body: body(variant, 'probabilities', true) }),
        plain(variant).maps,
      );
    });
  });

  test('returns no attention maps unless requested', () => {
    expect(() =>
      buildGraph(
        {
          name: 'test',
          signature: { inputs: { x: f32(1, 2, 4) }, outputs: {} },
          weights: { has: () => false, find: () => undefined },
        },
        (g, { x }) => {
          expect(
            attention(g, { query: x, key: x, value: x }, { numHeads: 2, probabilities: false }),
          ).not.toHaveProperty('probabilities');
          return {};
        },
      ),
    ).not.toThrow();
  });

  test('rejects a width that is not divisible among the heads', () => {
    const write = (numHeads: number, width: number) => (): unknown =>
      buildGraph(
        {
          name: 'test',
          signature: { inputs: { x: f32(1, 2, 4), k: f32(1, 2, width) }, outputs: {} },
          weights: { has: () => false, find: () => undefined },
        },
        (g, { x, k }) => {
          attention(g, { query: x, key: k, value: k }, { numHeads, probabilities: false });
          return {};
        },
      );
    expect(write(3, 4)).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(write(2, 6)).toThrow(expect.objectContaining({ code: 'SHAPE_MISMATCH' }));
    expect(write(2, 4)).not.toThrow();
  });
});
