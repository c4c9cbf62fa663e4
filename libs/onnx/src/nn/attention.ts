import { Blip2Error } from '@blip2/interfaces';

import { addAxes, axisAt, fixedAxis, formatAxes } from '../axes.ts';
import { type Graph, RUNTIME_DOMAIN } from '../graph.ts';
import { add, mul } from '../ops/elementwise.ts';
import { matMul } from '../ops/matmul.ts';
import { concat, reshape, transpose } from '../ops/shape.ts';
import { softmax } from '../ops/softmax.ts';
import type { Value } from '../value.ts';

export interface AttentionInputs {
  /** `[batch, queries, hidden]`. */
  readonly query: Value<'float32'>;
  /**
   * `[batch, keys, hidden]`, or `[batch, heads, keys, headSize]` if computed by another graph. `value` has the same
   * form.
   */
  readonly key: Value<'float32'>;
  readonly value: Value<'float32'>;
  /** Keys and values of earlier positions, `[batch, heads, past, headSize]` each; they precede the new ones. */
  readonly past?: { readonly key: Value<'float32'>; readonly value: Value<'float32'> };
  /**
   * Added to the attention scores, `[batch or 1, heads or 1, queries, past + keys]`: 0 where allowed, the lowest float
   * where masked.
   */
  readonly bias?: Value<'float32'>;
  /** Factor of each head's attention probabilities, `[heads or 1, 1, 1]`. */
  readonly headMask?: Value<'float32'>;
}

export interface AttentionOptions {
  readonly numHeads: number;
  /** Factor of the attention scores. Default 1/√headSize. */
  readonly scale?: number;
  /** Whether to return the attention probabilities too, which takes plain operators instead of the fused one. */
  readonly probabilities: boolean;
}

export interface AttentionOutputs {
  /** `[batch, queries, hidden]`. */
  readonly context: Value<'float32'>;
  /** `[batch, heads, queries, past + keys]`, before any head mask. */
  readonly probabilities?: Value<'float32'>;
}

/** Multi-head scaled dot-product attention (arXiv 1706.03762, section 3.2) without its projections. */
export function attention(g: Graph, inputs: AttentionInputs, options: AttentionOptions): AttentionOutputs {
  expectHeads(inputs, options);
  // The fused operator does not support a factor per head.
  if (inputs.headMask) {
    const { context, probabilities } = plainAttention(g, inputs, options);
    return options.probabilities ? { context, probabilities } : { context };
  }
  return options.probabilities ? plainAttention(g, inputs, options) : { context: fusedAttention(g, inputs, options) };
}

function expectHeads({ query, key, value }: AttentionInputs, { numHeads }: AttentionOptions): void {
  const hidden = fixedAxis(query.axes, -1, 'query');
  const joined = ({ axes }: Value): boolean => axes.length === 3 && axes[2] === hidden;
  const split = ({ axes }: Value): boolean =>
    axes.length === 4 && axes[1] === numHeads && axes[3] === hidden / numHeads;
  const pair = [key, value];
  if (
    hidden % numHeads === 0 &&
    joined(query) &&
    (pair.every(joined) || pair.every(split)) &&
    key.axes.at(-2) === value.axes.at(-2)
  )
    return;
  throw new Blip2Error('SHAPE_MISMATCH', 'The query, key and value must have matching shapes', {
    where: 'attention',
    expected: `[batch, positions, ${hidden}] in ${numHeads} heads`,
    got: [query, key, value].map(({ axes }) => formatAxes(axes)).join(', '),
  });
}

function fusedAttention(
  g: Graph,
  { query, key, value, past, bias }: AttentionInputs,
  { numHeads, scale }: AttentionOptions,
): Value<'float32'> {
  const inputs = [query, key, value, undefined, undefined, bias, past?.key, past?.value];
  while (inputs.at(-1) === undefined) inputs.pop();
  const attributes = { num_heads: { int: numHeads }, scale: scale === undefined ? undefined : { float: scale } };
  const output = { type: 'float32', axes: query.axes } as const;
  if (!past) return g.node('MultiHeadAttention', inputs, output, { domain: RUNTIME_DOMAIN, attributes });
  // With a past the operator must also output the present keys and values. They are unused, so they are not copied.
  const total = addAxes(axisAt(past.key.axes, 2, 'past'), axisAt(key.axes, 1, 'key'));
  const present = {
    type: 'float32',
    axes: [axisAt(query.axes, 0, 'query'), numHeads, total, axisAt(past.key.axes, 3, 'past')],
  } as const;
  const [context] = g.multiNode('MultiHeadAttention', inputs, [output, present, present], {
    domain: RUNTIME_DOMAIN,
    attributes,
  });
  return context;
}

function plainAttention(
  g: Graph,
  { query, key, value, past, bias, headMask }: AttentionInputs,
  { numHeads, scale }: AttentionOptions,
): Required<AttentionOutputs> {
  const hidden = fixedAxis(query.axes, -1, 'query');
  const headSize = hidden / numHeads;
  const heads = (x: Value<'float32'>): Value<'float32'> => (x.axes.length === 4 ? x : splitHeads(g, x, numHeads));
  const keys = past ? concat(g, [past.key, heads(key)], 2) : heads(key);
  const values = past ? concat(g, [past.value, heads(value)], 2) : heads(value);
  const scores = matMul(g, heads(query), keys, { transposeB: true, alpha: scale ?? headSize ** -0.5 });
  const probabilities = softmax(g, bias ? add(g, scores, bias) : scores);
  const kept = headMask ? mul(g, probabilities, headMask) : probabilities;
  const context = reshape(g, transpose(g, matMul(g, kept, values), [0, 2, 1, 3]), [0, 0, hidden]);
  return { context, probabilities };
}

/** `[batch, positions, hidden] → [batch, heads, positions, headSize]`. */
export function splitHeads(g: Graph, x: Value<'float32'>, numHeads: number): Value<'float32'> {
  const headSize = fixedAxis(x.axes, -1, 'heads') / numHeads;
  return transpose(g, reshape(g, x, [0, 0, numHeads, headSize]), [0, 2, 1, 3]);
}
