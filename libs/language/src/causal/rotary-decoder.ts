/**
 * Decoders with rotary positions, RMS norms and a gated feed-forward: Llama (arXiv 2302.13971) and the families that
 * differ from it in biases, norms of heads, joined projections and windows.
 */
import type { RotaryDecoderConfig } from '@blip2/config';
import {
  activation,
  buildGraph,
  type F32,
  type Graph,
  scale,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { languageModelHead, tokenEmbedding } from '../tied-embedding.ts';
import { buildTokenEmbedding, type EmbeddingSignature } from '../token-embedding-graph.ts';
import { causalDecoder } from './causal-decoder.ts';
import { type CausalRequest, causalSignature, type CausalSizes } from './causal-signature.ts';
import { rotaryDecoderLayer, rotaryNorm } from './rotary-decoder-layer.ts';
import type { RotaryConfigOf, RotaryDecoderLayout } from './rotary-decoder-layout.ts';
import {
  type RotarySignature,
  rotarySignature,
  rotationsOf,
  windowRotarySignature,
  windowRotationsOf,
} from './rotary-inputs.ts';
import { isWindowed, windowBias, windowSignature } from './window.ts';

/** Path of the token embedding. */
export const ROTARY_TOKEN_EMBEDDING = 'model.embed_tokens';

export function rotaryDecoderSizes({
  numHiddenLayers: layers,
  numAttentionHeads: heads,
  numKeyValueHeads: keyValueHeads,
  headDim: headSize,
  hiddenSize,
  vocabSize,
}: RotaryDecoderConfig): CausalSizes {
  return { layers, heads, keyValueHeads, headSize, hiddenSize, embeddingSize: hiddenSize, vocabSize };
}

export function buildRotaryEmbedding(
  { vocabSize, hiddenSize: embeddingSize, tieWordEmbeddings }: RotaryDecoderConfig,
  { name, embeddingFactor: factor = 1 }: RotaryDecoderLayout,
  weights: WeightSource,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const table = (root: Weights): Weights => tokenEmbedding(root, ROTARY_TOKEN_EMBEDDING, tieWordEmbeddings);
  return buildTokenEmbedding({ name: `${name}_embedding`, vocabSize, embeddingSize, factor, table }, weights, prefix);
}

export function rotaryDecoderSignature(
  config: RotaryConfigOf,
  request: CausalRequest,
  { windowRotations = false }: Partial<RotaryDecoderLayout> = {},
): RotarySignature {
  const signature = causalSignature(rotaryDecoderSizes(config), request);
  const rotary = rotarySignature(windowSignature(signature, config, request), config.rotaryDim);
  return windowRotations ? windowRotarySignature(rotary) : rotary;
}

export function buildRotaryDecoder(
  config: RotaryConfigOf,
  layout: RotaryDecoderLayout,
  weights: WeightSource,
  prefix: string,
  request: CausalRequest,
): WrittenModel<RotarySignature> {
  return buildGraph(
    { name: `${layout.name}_decoder`, signature: rotaryDecoderSignature(config, request, layout), weights, prefix },
    (g, inputs, root) => {
      const rotations = rotationsOf(inputs);
      const windowed = {
        bias: windowBias(inputs),
        rotations: layout.windowRotations ? windowRotationsOf(inputs) : rotations,
      };
      return causalDecoder(g, inputs, request, {
        layers: config.numHiddenLayers,
        layer: (x, layer, context) =>
          rotaryDecoderLayer(g, x, root.at(`model.layers.${layer}`), config, layout, {
            rotations,
            ...context,
            ...(isWindowed(config, layer) && windowed),
          }),
        finalStates: (x) => rotaryNorm(g, x, root.at('model.norm'), config, layout),
        head: (x) => boundLogits(g, logits(g, x, root, config), layout),
      });
    },
  );
}

function logits(g: Graph, x: F32, root: Weights, config: RotaryDecoderConfig): F32 {
  return languageModelHead(g, x, root, {
    inFeatures: config.hiddenSize,
    vocabSize: config.vocabSize,
    embedding: ROTARY_TOKEN_EMBEDDING,
    tied: config.tieWordEmbeddings,
  });
}

function boundLogits(g: Graph, x: F32, { logitBound }: RotaryDecoderLayout): F32 {
  return logitBound === undefined ? x : scale(g, activation(g, scale(g, x, 1 / logitBound), 'tanh'), logitBound);
}
