/**
 * Llama: a decoder-only transformer with rotary positions, root-mean-square norms and a gated feed-forward (arXiv
 * 2302.13971; shared keys and values: arXiv 2305.13245).
 * HF class `LlamaForCausalLM`; checkpoint path `model`, below `language_model` in an InstructBLIP checkpoint.
 */
import type { LlamaConfig } from '@blip2/config';
import { f32, i64, type TensorSpec, type WeightStore } from '@blip2/interfaces';
import {
  activation,
  add,
  assumeAxes,
  attention,
  type AttentionInputs,
  type AttentionOutputs,
  buildGraph,
  concat,
  type Graph,
  linear,
  mul,
  type RecordedWeight,
  reshape,
  rmsNorm,
  rotaryEmbedding,
  type Rotations,
  splitHeads,
  type Value,
  type WeightFinder,
  type Weights,
  type WrittenModel,
} from '@blip2/onnx';

import { causalDecoder, type CausalLayerContext, causalTensors } from '../causal/causal-decoder.ts';
import {
  type CausalRequest,
  type CausalSignature,
  causalSignature,
  type CausalSizes,
} from '../causal/causal-signature.ts';
import type { DecoderLayerOutput } from '../decoder-outputs.ts';
import { languageModelHead, tokenEmbedding } from '../tied-embedding.ts';
import { buildTokenEmbedding, type EmbeddingSignature } from '../token-embedding-graph.ts';

type F32 = Value<'float32'>;
/** Path of the token embedding. */
export const TOKEN_EMBEDDING = 'model.embed_tokens';

export function buildLlamaEmbedding(
  { vocabSize, hiddenSize: embeddingSize, tieWordEmbeddings }: LlamaConfig,
  weights: WeightStore | WeightFinder,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const table = (root: Weights): Weights => tokenEmbedding(root, TOKEN_EMBEDDING, tieWordEmbeddings);
  return buildTokenEmbedding({ name: 'llama_embedding', vocabSize, embeddingSize, table }, weights, prefix);
}

export interface LlamaSignature extends CausalSignature {
  readonly inputs: CausalSignature['inputs'] & {
    /** Row of the rotations for each position. */
    readonly rotation_rows: TensorSpec<'int64', readonly ['batch', 'sequence']>;
    readonly rotation_cos: TensorSpec<'float32', readonly ['rotations', number]>;
    readonly rotation_sin: TensorSpec<'float32', readonly ['rotations', number]>;
  };
}

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
  const { inputs, outputs } = causalSignature(llamaSizes(config), request);
  const rotation = f32('rotations', config.headDim / 2);
  return {
    inputs: { ...inputs, rotation_rows: i64('batch', 'sequence'), rotation_cos: rotation, rotation_sin: rotation },
    outputs,
  };
}

export function buildLlamaDecoder(
  config: LlamaConfig,
  weights: WeightStore | WeightFinder,
  prefix: string,
  request: CausalRequest,
): WrittenModel<LlamaSignature> {
  return buildGraph(
    { name: 'llama_decoder', signature: llamaSignature(config, request), weights, prefix },
    (g, inputs, root) => {
      const rotations = { rows: inputs.rotation_rows, cos: inputs.rotation_cos, sin: inputs.rotation_sin };
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
    const attended = groupedAttention(g, { query, key, value, ...inputs }, config, attentions);
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

/** Attention in which each head of keys and values belongs to a group of consecutive query heads. */
function groupedAttention(
  g: Graph,
  { key, value, past, ...inputs }: AttentionInputs,
  { numAttentionHeads: numHeads, numKeyValueHeads, headDim }: LlamaConfig,
  probabilities: boolean,
): AttentionOutputs {
  const options = { numHeads, probabilities };
  const group = numHeads / numKeyValueHeads;
  if (group === 1) return attention(g, { ...inputs, key, value, ...(past && { past }) }, options);
  const repeatHeads = (fresh: F32, earlier: F32 | undefined): F32 => {
    const heads = splitHeads(g, fresh, numKeyValueHeads);
    const all = earlier ? concat(g, [earlier, heads], 2) : heads;
    const one = reshape(g, all, [0, numKeyValueHeads, 1, -1, headDim], 'keys');
    const repeated = concat(g, [one, ...new Array<F32>(group - 1).fill(one)], 2);
    return assumeAxes(
      reshape(g, repeated, [0, numHeads, -1, headDim], 'keys'),
      [all.axes[0] ?? 'batch', numHeads, all.axes[2] ?? 'keys', headDim],
      'only the heads were repeated',
    );
  };
  return attention(g, { ...inputs, key: repeatHeads(key, past?.key), value: repeatHeads(value, past?.value) }, options);
}

/** Every tensor of Llama's checkpoint, by name and shape; a head that is tied to the embedding is not one. */
export function llamaTensors(config: LlamaConfig, prefix: string): RecordedWeight[] {
  return causalTensors(config, prefix, buildLlamaEmbedding, buildLlamaDecoder);
}
