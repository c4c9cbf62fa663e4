/**
 * Llama: a decoder-only transformer with rotary positions, root-mean-square norms and a gated feed-forward (arXiv
 * 2302.13971; shared keys and values: arXiv 2305.13245).
 * HF class `LlamaForCausalLM`; checkpoint path `model`, below `language_model` in an InstructBLIP checkpoint.
 */
import type { LlamaConfig } from '@blip2/config';
import type { RecordedWeight, WeightSource, WrittenModel } from '@blip2/onnx';

import { causalTensors } from '../causal/causal-decoder.ts';
import type { CausalRequest } from '../causal/causal-signature.ts';
import { buildRotaryDecoder, buildRotaryEmbedding, rotaryDecoderSignature } from '../causal/rotary-decoder.ts';
import type { RotaryDecoderLayout } from '../causal/rotary-decoder-layout.ts';
import type { RotarySignature } from '../causal/rotary-inputs.ts';
import type { EmbeddingSignature } from '../token-embedding-graph.ts';

/** How Llama differs from the other decoders with rotary positions. */
export function llamaLayout({ attentionBias, mlpBias }: LlamaConfig): RotaryDecoderLayout {
  return { name: 'llama', queryKeyValueBias: attentionBias, outputBias: attentionBias, mlpBias };
}

export function buildLlamaEmbedding(
  config: LlamaConfig,
  weights: WeightSource,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  return buildRotaryEmbedding(config, llamaLayout(config), weights, prefix);
}

export type LlamaSignature = RotarySignature;

export function llamaSignature(config: LlamaConfig, request: CausalRequest): LlamaSignature {
  return rotaryDecoderSignature(config, request);
}

export function buildLlamaDecoder(
  config: LlamaConfig,
  weights: WeightSource,
  prefix: string,
  request: CausalRequest,
): WrittenModel<LlamaSignature> {
  return buildRotaryDecoder(config, llamaLayout(config), weights, prefix, request);
}

/** Every tensor of Llama's checkpoint, by name and shape; a head that is tied to the embedding is not one. */
export function llamaTensors(config: LlamaConfig, prefix: string): RecordedWeight[] {
  return causalTensors(config, prefix, buildLlamaEmbedding, buildLlamaDecoder);
}
