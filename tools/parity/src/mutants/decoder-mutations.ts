import type { MutableConfig, Mutation } from './mutation.ts';
import { scaleTensors } from './tensor-edit.ts';

const REACHES: readonly string[] = ['language_model_forward', 'language_model_generate'];

/** The rotary scaling of the case `phi3`. */
const FACTORS = { type: 'longrope', short_factor: [1, 1.25], long_factor: [1.5, 3] } as const;
/** The factors of short texts for all texts, with the attention factor of the case. */
const SHORT_FACTORS = { ...FACTORS, factor: 64 / 14 };

/** Mistakes in the decoders that have rotary positions, and in GPT-2. A case is named like its family. */
export const decoderMutations: readonly Mutation[] = [
  configured('qwen2', 'window of one position more', { sliding_window: 6 }),
  configured('qwen2', 'window in every layer', { max_window_layers: 0 }),
  configured('qwen2', 'no window', { use_sliding_window: false }),
  configured('qwen2', 'another rotary base', { rope_theta: 10_000 }),
  scaled('qwen2', 'no bias of the queries', /q_proj\.bias$/, 0),
  scaled('qwen2', 'no bias of the values', /v_proj\.bias$/, 0),
  scaled('qwen3', 'heads not normalized alike', /k_norm\.weight$/, 2),
  configured('qwen3', 'another epsilon', { rms_norm_eps: 1e-2 }),
  scaled('qwen3', 'no bias of the output', /o_proj\.bias$/, 0),
  configured('mistral', 'window of one position less', { sliding_window: 3 }),
  configured('mistral', 'no window', { sliding_window: null }),
  configured('phi3', 'all of each head rotated', {
    partial_rotary_factor: 1,
    rope_scaling: { type: 'longrope', short_factor: [1, 1.25, 1, 1], long_factor: [1.5, 3, 1, 1] },
  }),
  configured('phi3', 'short factors for long texts', {
    original_max_position_embeddings: 64,
    rope_scaling: SHORT_FACTORS,
  }),
  configured('phi3', 'no factor of the attention', { rope_scaling: { ...FACTORS, attention_factor: 1 } }),
  configured('gemma3-text', 'scores divided by the root of the head size', { query_pre_attn_scalar: 12 }),
  configured('gemma3-text', 'one rotary base', { rope_local_base_freq: 1_000_000 }),
  configured('gemma3-text', 'rotary scaling left out', { rope_scaling: null }),
  configured('gemma3-text', 'windows in two of four layers', { sliding_window_pattern: 2 }),
  configured('gemma3-text', 'logits not bounded', { final_logit_softcapping: null }),
  configured('gemma3-text', 'gelu without the approximation', { hidden_activation: 'gelu' }),
  configured('gpt2', 'scores not divided by the number of the layer', { scale_attn_by_inverse_layer_idx: false }),
  configured('gpt2', 'scores not divided by the root of the head size', { scale_attn_weights: false }),
  configured('gpt2', 'another activation', { activation_function: 'relu' }),
  scaled('gpt2', 'no positions', /wpe\.weight$/, 0),
];

function configured(family: string, mistake: string, changes: Readonly<Record<string, unknown>>): Mutation {
  return {
    name: `${family}: ${mistake}`,
    case: family,
    reaches: REACHES,
    config: (config: MutableConfig) => void Object.assign(config, changes),
  };
}

function scaled(family: string, mistake: string, tensors: RegExp, factor: number): Mutation {
  return {
    name: `${family}: ${mistake}`,
    case: family,
    reaches: REACHES,
    tensors: (all) => scaleTensors(all, tensors, factor),
  };
}
