/**
 * Llama: a decoder-only transformer with rotary positions, root-mean-square norms and a gated feed-forward (arXiv
 * 2302.13971; shared keys and values: arXiv 2305.13245).
 * HF class `LlamaForCausalLM`; checkpoint path `model`, below `language_model` in an InstructBLIP checkpoint.
 */
import type { LlamaConfig } from '@blip2/config';
import {
  activation,
  add,
  buildGraph,
  type F32,
  type Graph,
  linear,
  mul,
  type RecordedWeight,
  rmsNorm,
  rotaryEmbedding,
  type Rotations,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { causalDecoder, type CausalLayerContext, causalTensors } from '../causal/causal-decoder.ts';
import { type CausalRequest, causalSignature, type CausalSizes } from '../causal/causal-signature.ts';
import { groupedAttention } from '../causal/grouped-attention.ts';
import { type RotarySignature, rotarySignature, rotationsOf } from '../causal/rotary-inputs.ts';
import type { DecoderLayerOutput } from '../decoder-outputs.ts';
import { languageModelHead, tokenEmbedding } from '../tied-embedding.ts';
import { buildTokenEmbedding, type EmbeddingSignature } from '../token-embedding-graph.ts';

/** Path of the token embedding. */
export const TOKEN_EMBEDDING = 'model.embed_tokens';

export function buildLlamaEmbedding(
  { vocabSize, hiddenSize: embeddingSize, tieWordEmbeddings }: LlamaConfig,
  weights: WeightSource,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const table = (root: Weights): Weights => tokenEmbedding(root, TOKEN_EMBEDDING, tieWordEmbeddings);
  return buildTokenEmbedding({ name: 'llama_embedding', vocabSize, embeddingSize, table }, weights, prefix);
}

export type LlamaSignature = RotarySignature;

export function llamaSizes({
  numHiddenLayers: layers,
  numAttentionHeads: heads,
  numKeyValueHeads: keyValueHeads,
  headDim: headSize,
  hiddenSize,
  vocabSize,
}: LlamaConfig): CausalSizes {
  return { layers, heads, keyValueHeads, headSize, hiddenSize, embeddingSize: hiddenSize, vocabSize };
}

export function llamaSignature(config: LlamaConfig, request: CausalRequest): LlamaSignature {
  return rotarySignature(causalSignature(llamaSizes(config), request), config.headDim);
}

export function buildLlamaDecoder(
  config: LlamaConfig,
  weights: WeightSource,
  prefix: string,
  request: CausalRequest,
): WrittenModel<LlamaSignature> {
  return buildGraph(
    { name: 'llama_decoder', signature: llamaSignature(config, request), weights, prefix },
    (g, inputs, root) => {
      const rotations = rotationsOf(inputs);
      return causalDecoder(g, inputs, request, {
        layers: config.numHiddenLayers,
        layer: (x, layer, context) =>
          decoderLayer(g, x, root.at(`model.layers.${layer}`), config, { ...context, rotations }),
        finalStates: (x) => rmsNorm(g, x, root.at('model.norm'), { epsilon: config.rmsNormEps }),
        head: (x) =>
          languageModelHead(g, x, root, {
            inFeatures: config.hiddenSize,
            vocabSize: config.vocabSize,
            embedding: TOKEN_EMBEDDING,
            tied: config.tieWordEmbeddings,
          }),
      });
    },
  );
}

/** `x += o(attention(rotate(norm(x)))); x += down(act(gate(norm(x))) · up(norm(x)))`. */
function decoderLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: LlamaConfig,
  { rotations, attentions, ...inputs }: CausalLayerContext & { readonly rotations: Rotations },
): DecoderLayerOutput {
  const { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim, rmsNormEps: epsilon } = config;
  return g.scope(weights.path, () => {
    const self = weights.at('self_attn');
    const normed = rmsNorm(g, x, weights.at('input_layernorm'), { epsilon });
    const project = (name: string, heads: number): F32 =>
      linear(g, normed, self.at(name), {
        inFeatures: hiddenSize,
        outFeatures: heads * headDim,
        bias: config.attentionBias,
      });
    const query = rotaryEmbedding(g, project('q_proj', numAttentionHeads), rotations);
    const key = rotaryEmbedding(g, project('k_proj', numKeyValueHeads), rotations);
    const value = project('v_proj', numKeyValueHeads);
    // Keys are cached after their rotation.
    const attended = groupedAttention(
      g,
      { query, key, value, ...inputs },
      { numHeads: numAttentionHeads, keyValueHeads: numKeyValueHeads, headSize: headDim, probabilities: attentions },
    );
    const y = add(
      g,
      x,
      linear(g, attended.context, self.at('o_proj'), {
        inFeatures: numAttentionHeads * headDim,
        outFeatures: hiddenSize,
        bias: config.attentionBias,
      }),
    );
    const mlp = weights.at('mlp');
    const normedAgain = rmsNorm(g, y, weights.at('post_attention_layernorm'), { epsilon });
    const widen = (name: string): F32 =>
      linear(g, normedAgain, mlp.at(name), {
        inFeatures: hiddenSize,
        outFeatures: intermediateSize,
        bias: config.mlpBias,
      });
    const gated = mul(g, activation(g, widen('gate_proj'), config.hiddenAct), widen('up_proj'));
    const hiddenStates = add(
      g,
      y,
      linear(g, gated, mlp.at('down_proj'), {
        inFeatures: intermediateSize,
        outFeatures: hiddenSize,
        bias: config.mlpBias,
      }),
    );
    return { hiddenStates, key, value, attentions: attended.probabilities };
  });
}

/** Every tensor of Llama's checkpoint, by name and shape; a head that is tied to the embedding is not one. */
export function llamaTensors(config: LlamaConfig, prefix: string): RecordedWeight[] {
  return causalTensors(config, prefix, buildLlamaEmbedding, buildLlamaDecoder);
}
