/**
 * GPT-2: a decoder-only transformer with learned positions, whose matrices are stored as `[in, out]` (Radford et al.
 * 2019, "Language Models are Unsupervised Multitask Learners").
 * HF class `GPT2LMHeadModel`; checkpoint path `transformer`, or none in the first repositories.
 */
import type { Gpt2Config } from '@blip2/config';
import {
  activation,
  add,
  attention,
  buildGraph,
  embedding,
  type F32,
  type Graph,
  layerNorm,
  linear,
  slice,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { causalDecoder, type CausalLayerContext } from '../causal/causal-decoder.ts';
import { type CausalRequest, causalSignature, type CausalSizes } from '../causal/causal-signature.ts';
import { type LearnedPositionsSignature, learnedPositionsSignature } from '../causal/learned-positions.ts';
import type { DecoderLayerOutput } from '../decoder-outputs.ts';
import { languageModelHead, tokenEmbedding } from '../tied-embedding.ts';
import { buildTokenEmbedding, type EmbeddingSignature } from '../token-embedding-graph.ts';

const BODY = 'transformer';
const EMBEDDING = 'wte';
/** Names of the token embedding. */
export const TOKEN_EMBEDDINGS: readonly string[] = [`${BODY}.${EMBEDDING}`, EMBEDDING];

/** Path of a name below the body of the model. */
function bodyPath(root: Weights, name: string): string {
  return root.has(`${EMBEDDING}.weight`) ? name : `${BODY}.${name}`;
}

export function buildGpt2Embedding(
  { vocabSize, hiddenSize: embeddingSize, tieWordEmbeddings }: Gpt2Config,
  weights: WeightSource,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const table = (root: Weights): Weights => tokenEmbedding(root, bodyPath(root, EMBEDDING), tieWordEmbeddings);
  return buildTokenEmbedding({ name: 'gpt2_embedding', vocabSize, embeddingSize, table }, weights, prefix);
}

export function gpt2Sizes({
  numHiddenLayers: layers,
  numAttentionHeads: heads,
  hiddenSize,
  vocabSize,
}: Gpt2Config): CausalSizes {
  const headSize = hiddenSize / heads;
  return { layers, heads, keyValueHeads: heads, headSize, hiddenSize, embeddingSize: hiddenSize, vocabSize };
}

export function buildGpt2Decoder(
  config: Gpt2Config,
  weights: WeightSource,
  prefix: string,
  request: CausalRequest,
): WrittenModel<LearnedPositionsSignature> {
  const { hiddenSize, vocabSize, maxPositionEmbeddings: numEmbeddings, layerNormEpsilon: epsilon } = config;
  const signature = learnedPositionsSignature(causalSignature(gpt2Sizes(config), request));
  return buildGraph({ name: 'gpt2_decoder', signature, weights, prefix }, (g, inputs, root) => {
    const at = (name: string): Weights => root.at(bodyPath(root, name));
    return causalDecoder(g, inputs, request, {
      layers: config.numHiddenLayers,
      embeddings: (x) =>
        add(g, x, embedding(g, inputs.position_ids, at('wpe'), { numEmbeddings, embeddingSize: hiddenSize })),
      layer: (x, layer, context) => decoderLayer(g, x, at(`h.${layer}`), config, layer, context),
      finalStates: (x) => layerNorm(g, x, at('ln_f'), { epsilon, affine: true }),
      head: (x) =>
        languageModelHead(g, x, root, {
          inFeatures: hiddenSize,
          vocabSize,
          embedding: bodyPath(root, EMBEDDING),
          tied: config.tieWordEmbeddings,
        }),
    });
  });
}

/** `x += c_proj(attention(c_attn(norm(x)))); x += c_proj(act(c_fc(norm(x))))`. */
function decoderLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: Gpt2Config,
  layer: number,
  { attentions, ...inputs }: CausalLayerContext,
): DecoderLayerOutput {
  const { hiddenSize, intermediateSize, numAttentionHeads: numHeads, layerNormEpsilon: epsilon } = config;
  const norm = (states: F32, name: string): F32 => layerNorm(g, states, weights.at(name), { epsilon, affine: true });
  const project = (states: F32, name: string, inFeatures: number, outFeatures: number): F32 =>
    linear(g, states, weights.at(name), { inFeatures, outFeatures, bias: true, transposed: true });
  return g.scope(weights.path, () => {
    const all = project(norm(x, 'ln_1'), 'attn.c_attn', hiddenSize, 3 * hiddenSize);
    const part = (index: number): F32 => slice(g, all, -1, index * hiddenSize, (index + 1) * hiddenSize);
    const [query, key, value] = [part(0), part(1), part(2)];
    const scale = scoreFactor(config, layer);
    const attended = attention(g, { query, key, value, ...inputs }, { numHeads, scale, probabilities: attentions });
    const y = add(g, x, project(attended.context, 'attn.c_proj', hiddenSize, hiddenSize));
    const wide = activation(
      g,
      project(norm(y, 'ln_2'), 'mlp.c_fc', hiddenSize, intermediateSize),
      config.activationFunction,
    );
    const hiddenStates = add(g, y, project(wide, 'mlp.c_proj', intermediateSize, hiddenSize));
    return { hiddenStates, key, value, attentions: attended.probabilities };
  });
}

function scoreFactor(
  { hiddenSize, numAttentionHeads, scaleAttnWeights, scaleAttnByInverseLayerIdx }: Gpt2Config,
  layer: number,
): number {
  const factor = scaleAttnWeights ? Math.sqrt(numAttentionHeads / hiddenSize) : 1;
  return scaleAttnByInverseLayerIdx ? factor / (layer + 1) : factor;
}
