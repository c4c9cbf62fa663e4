import type { Tensor } from '@blip2/interfaces';

/** The contents of an adapter, to be changed. */
export interface MutableAdapter {
  readonly config: Record<string, unknown>;
  readonly tensors: Map<string, Tensor<'float32'>>;
}

/** A mistake in the arithmetic of adapters, made in the files of an adapter. */
export interface AdapterMutation {
  readonly name: string;
  readonly case: string;
  mutate(adapter: MutableAdapter): void;
}

/** Sets options of an adapter. */
const set =
  (options: Readonly<Record<string, unknown>>): AdapterMutation['mutate'] =>
  ({ config }) =>
    void Object.assign(config, options);

/** Changes the tensors whose names match. */
function edit(
  { tensors }: MutableAdapter,
  pattern: RegExp,
  change: (data: Float32Array, dims: readonly number[]) => Float32Array,
): void {
  for (const [name, tensor] of tensors)
    if (pattern.test(name)) tensors.set(name, { ...tensor, data: change(tensor.data, tensor.dims) });
}

/** `[rows, columns]` in the order of its transpose, in the same shape. */
function transposedOrder(data: Float32Array, [rows = 1, columns = 1]: readonly number[]): Float32Array {
  return data.map((_, at) => data[(at % rows) * columns + Math.floor(at / rows)] ?? 0);
}

const zero = (data: Float32Array): Float32Array => data.map(() => 0);
const reversed = (data: Float32Array): Float32Array => data.toReversed();

export const adapterMutations: readonly AdapterMutation[] = [
  { name: 'adapter not merged', case: 'gpt2-conv1d', mutate: (adapter) => edit(adapter, /lora_B/, zero) },
  { name: 'scaling doubled', case: 'gpt2-conv1d', mutate: set({ lora_alpha: 12 }) },
  { name: 'not scaled', case: 'opt-blip2', mutate: set({ lora_alpha: 2 }) },
  { name: 'scaled by the rank, not its square root', case: 'gpt2-conv1d', mutate: set({ use_rslora: false }) },
  { name: 'scaled by the square root of the rank', case: 'llama-patterns', mutate: set({ use_rslora: true }) },
  { name: 'alpha_pattern ignored', case: 'llama-patterns', mutate: set({ alpha_pattern: {} }) },
  {
    name: 'alpha_pattern: only names in full',
    case: 'llama-patterns',
    mutate: set({ alpha_pattern: { 'model.layers.1.mlp.down_proj': 16 } }),
  },
  {
    name: 'B read as [rank, out]',
    case: 'gpt2-conv1d',
    mutate: (adapter) => edit(adapter, /c_proj\.lora_B/, transposedOrder),
  },
  {
    name: 'A read as [in, rank]',
    case: 'llama-patterns',
    mutate: (adapter) => edit(adapter, /lora_A/, transposedOrder),
  },
  {
    name: 'embedding: A read as [tokens, rank]',
    case: 'qwen2-embedding',
    mutate: (adapter) => edit(adapter, /lora_embedding_A/, transposedOrder),
  },
  {
    name: 'embedding not adapted',
    case: 'qwen2-embedding',
    mutate: (adapter) => edit(adapter, /lora_embedding_B/, zero),
  },
  {
    name: 'modules_to_save ignored',
    case: 'llama-patterns',
    mutate: (adapter) => edit(adapter, /input_layernorm/, (data) => data.map(() => 1)),
  },
  {
    name: 'modules_to_save ignored in the vision encoder',
    case: 'opt-blip2',
    mutate: (adapter) => edit(adapter, /post_layernorm\.weight/, (data) => data.map(() => 1)),
  },
  { name: 'biases ignored', case: 'qwen2-tied-head', mutate: (adapter) => edit(adapter, /\.bias$/, zero) },
  { name: 'head not adapted', case: 'qwen2-tied-head', mutate: (adapter) => edit(adapter, /lm_head\.lora_B/, zero) },
  { name: 'lora_bias ignored', case: 'opt-lora-bias', mutate: (adapter) => edit(adapter, /lora_B\.bias/, zero) },
  { name: 'added bias ignored', case: 'mistral-added-bias', mutate: (adapter) => edit(adapter, /lora_B\.bias/, zero) },
  {
    name: 'added bias scaled twice',
    case: 'mistral-added-bias',
    mutate: (adapter) => edit(adapter, /lora_B\.bias/, (data) => data.map((value) => (value * 3) / Math.sqrt(2))),
  },
  {
    name: 'lora_bias not scaled',
    case: 'opt-lora-bias',
    mutate: (adapter) => edit(adapter, /lora_B\.bias/, (data) => data.map((value) => value / 2)),
  },
  {
    name: 'DoRA: magnitudes of other rows',
    case: 'gpt2-dora-embedding',
    mutate: (adapter) => edit(adapter, /c_proj\.lora_magnitude/, reversed),
  },
  {
    name: 'DoRA: magnitudes of other columns of the embedding',
    case: 'gpt2-dora-embedding',
    mutate: (adapter) => edit(adapter, /wte\.lora_magnitude/, reversed),
  },
  {
    name: 'patches not adapted',
    case: 'opt-blip2',
    mutate: (adapter) => edit(adapter, /patch_embedding\.lora_B/, zero),
  },
  { name: 'Q-Former not adapted', case: 'opt-blip2', mutate: (adapter) => edit(adapter, /qformer.*lora_B/, zero) },
  {
    name: 'projection not adapted',
    case: 'opt-blip2',
    mutate: (adapter) => edit(adapter, /language_projection\.lora_B/, zero),
  },
];
