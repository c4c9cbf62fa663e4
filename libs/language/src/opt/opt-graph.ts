/**
 * OPT: a decoder-only transformer with learned positions (arXiv 2205.01068).
 * HF class `OPTForCausalLM`; checkpoint path `model.decoder`, below `language_model` in a BLIP-2 checkpoint.
 */
import type { OptConfig } from '@blip2/config';
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
  type RecordedWeight,
  type Value,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { causalDecoder, type CausalLayerContext, causalTensors } from '../causal/causal-decoder.ts';
import { type CausalRequest, causalSignature, type CausalSizes } from '../causal/causal-signature.ts';
import { type LearnedPositionsSignature, learnedPositionsSignature } from '../causal/learned-positions.ts';
import type { DecoderLayerOutput } from '../decoder-outputs.ts';
import { languageModelHead, tokenEmbedding } from '../tied-embedding.ts';
import { buildTokenEmbedding, type EmbeddingSignature } from '../token-embedding-graph.ts';

/** Path of the token embedding. */
export const TOKEN_EMBEDDING = 'model.decoder.embed_tokens';
/** In HF, row 0 of the position embedding is unused and row 1 is that of padding; position 0 is row 2. */
export const POSITION_OFFSET = 2;
/** PyTorch's default, which HF `OPTDecoderLayer` uses. */
const LAYER_NORM_EPSILON = 1e-5;

export function buildOptEmbedding(
  { vocabSize, wordEmbedProjDim: embeddingSize, tieWordEmbeddings }: OptConfig,
  weights: WeightSource,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const table = (root: Weights): Weights => tokenEmbedding(root, TOKEN_EMBEDDING, tieWordEmbeddings);
  return buildTokenEmbedding({ name: 'opt_embedding', vocabSize, embeddingSize, table }, weights, prefix);
}

export type OptSignature = LearnedPositionsSignature;

export function optSizes({
  numHiddenLayers: layers,
  numAttentionHeads: heads,
  hiddenSize,
  wordEmbedProjDim: embeddingSize,
  vocabSize,
}: OptConfig): CausalSizes {
  return { layers, heads, keyValueHeads: heads, headSize: hiddenSize / heads, hiddenSize, embeddingSize, vocabSize };
}

export function optSignature(config: OptConfig, request: CausalRequest): OptSignature {
  return learnedPositionsSignature(causalSignature(optSizes(config), request));
}

export function buildOptDecoder(
  config: OptConfig,
  weights: WeightSource,
  prefix: string,
  request: CausalRequest,
): WrittenModel<OptSignature> {
  return buildGraph(
    { name: 'opt_decoder', signature: optSignature(config, request), weights, prefix },
    (g, inputs, root) => {
      const decoder = root.at('model.decoder');
      return causalDecoder(g, inputs, request, {
        layers: config.numHiddenLayers,
        embeddings: (x) => optEmbeddings(g, x, inputs.position_ids, decoder, config),
        layer: (x, layer, context) => decoderLayer(g, x, decoder.at(`layers.${layer}`), config, context),
        finalStates: (x) => finalStates(g, x, decoder, config),
        head: (x) =>
          languageModelHead(g, x, root, {
            inFeatures: config.wordEmbedProjDim,
            vocabSize: config.vocabSize,
            embedding: TOKEN_EMBEDDING,
            tied: config.tieWordEmbeddings,
          }),
      });
    },
  );
}

/** Adds position embeddings, after `project_in` if token embeddings are narrower than the hidden size (opt-350m). */
function optEmbeddings(
  g: Graph,
  inputsEmbeds: F32,
  positionIds: Value<'int64'>,
  decoder: Weights,
  { hiddenSize, wordEmbedProjDim, maxPositionEmbeddings }: OptConfig,
): F32 {
  const words =
    wordEmbedProjDim === hiddenSize
      ? inputsEmbeds
      : linear(g, inputsEmbeds, decoder.at('project_in'), {
          inFeatures: wordEmbedProjDim,
          outFeatures: hiddenSize,
          bias: false,
        });
  const positions = embedding(g, positionIds, decoder.at('embed_positions'), {
    numEmbeddings: maxPositionEmbeddings + POSITION_OFFSET,
    embeddingSize: hiddenSize,
  });
  return add(g, words, positions);
}

/**
 * `x += out(attention(norm(x))); x += fc2(act(fc1(norm(x))))`, or with the norms after the residual sums (opt-350m).
 */
function decoderLayer(
  g: Graph,
  x: F32,
  weights: Weights,
  config: OptConfig,
  { attentions, ...inputs }: CausalLayerContext,
): DecoderLayerOutput {
  const { hiddenSize, ffnDim, numAttentionHeads: numHeads, doLayerNormBefore, enableBias, activationFunction } = config;
  const norm = (value: F32, name: string): F32 =>
    layerNorm(g, value, weights.at(name), { epsilon: LAYER_NORM_EPSILON, affine: config.layerNormElementwiseAffine });
  const project = (value: F32, name: string, inFeatures: number, outFeatures: number): F32 =>
    linear(g, value, weights.at(name), { inFeatures, outFeatures, bias: enableBias });
  const before = (value: F32, name: string): F32 => (doLayerNormBefore ? norm(value, name) : value);
  const after = (value: F32, name: string): F32 => (doLayerNormBefore ? value : norm(value, name));

  return g.scope(weights.path, () => {
    const normed = before(x, 'self_attn_layer_norm');
    const query = project(normed, 'self_attn.q_proj', hiddenSize, hiddenSize);
    const key = project(normed, 'self_attn.k_proj', hiddenSize, hiddenSize);
    const value = project(normed, 'self_attn.v_proj', hiddenSize, hiddenSize);
    const attended = attention(g, { query, key, value, ...inputs }, { numHeads, probabilities: attentions });
    const y = after(
      add(g, x, project(attended.context, 'self_attn.out_proj', hiddenSize, hiddenSize)),
      'self_attn_layer_norm',
    );
    const wide = activation(g, project(before(y, 'final_layer_norm'), 'fc1', hiddenSize, ffnDim), activationFunction);
    const hiddenStates = after(add(g, y, project(wide, 'fc2', ffnDim, hiddenSize)), 'final_layer_norm');
    return { hiddenStates, key, value, attentions: attended.probabilities };
  });
}

function finalStates(
  g: Graph,
  x: F32,
  decoder: Weights,
  {
    hiddenSize,
    wordEmbedProjDim,
    doLayerNormBefore,
    removeFinalLayerNorm,
    layerNormElementwiseAffine: affine,
  }: OptConfig,
): F32 {
  const normed =
    doLayerNormBefore && !removeFinalLayerNorm
      ? layerNorm(g, x, decoder.at('final_layer_norm'), { epsilon: LAYER_NORM_EPSILON, affine })
      : x;
  return wordEmbedProjDim === hiddenSize
    ? normed
    : linear(g, normed, decoder.at('project_out'), {
        inFeatures: hiddenSize,
        outFeatures: wordEmbedProjDim,
        bias: false,
      });
}

/** Every tensor of OPT's checkpoint, by name and shape; a head that is tied to the embedding is not one. */
export function optTensors(config: OptConfig, prefix: string): RecordedWeight[] {
  return causalTensors(config, prefix, buildOptEmbedding, buildOptDecoder);
}
