import {
  assumeAxes,
  attention,
  type AttentionInputs,
  type AttentionOptions,
  type AttentionOutputs,
  concat,
  type F32,
  type Graph,
  reshape,
  splitHeads,
} from '@blip2/onnx';

export interface GroupedAttentionOptions extends AttentionOptions {
  readonly keyValueHeads: number;
  readonly headSize: number;
}

/** Attention in which consecutive query heads share one head of keys and values (arXiv 2305.13245). */
export function groupedAttention(
  g: Graph,
  { key, value, past, ...inputs }: AttentionInputs,
  { keyValueHeads, headSize, ...options }: GroupedAttentionOptions,
): AttentionOutputs {
  const group = options.numHeads / keyValueHeads;
  if (group === 1) return attention(g, { ...inputs, key, value, ...(past && { past }) }, options);
  const repeatHeads = (fresh: F32, earlier: F32 | undefined): F32 => {
    const heads = splitHeads(g, fresh, keyValueHeads);
    const all = earlier ? concat(g, [earlier, heads], 2) : heads;
    const one = reshape(g, all, [0, keyValueHeads, 1, -1, headSize], 'keys');
    const repeated = concat(g, [one, ...new Array<F32>(group - 1).fill(one)], 2);
    return assumeAxes(
      reshape(g, repeated, [0, options.numHeads, -1, headSize], 'keys'),
      [all.axes[0] ?? 'batch', options.numHeads, all.axes[2] ?? 'keys', headSize],
      'only the heads were repeated',
    );
  };
  return attention(g, { ...inputs, key: repeatHeads(key, past?.key), value: repeatHeads(value, past?.value) }, options);
}
