/**
 * The image encoder of CLIP: a pre-norm vision transformer with one more norm after its embeddings.
 * Paper: arXiv 2103.00020; HF class `CLIPVisionModel`; checkpoint path `vision_model`.
 */
import type { ClipVisionConfig } from '@blip2/config';
import { f32 } from '@blip2/interfaces';
import {
  buildGraph,
  encoderStack,
  type F32,
  firstPosition,
  type Graph,
  layerNorm,
  type RecordedWeight,
  recordWeights,
  reshape,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { type PatchEmbeddingLayout, patchEmbeddings, type PatchEmbeddingWeights } from '../patch-embeddings.ts';
import { SEPARATE_PROJECTIONS } from '../transformer/block-names.ts';
import { FINAL_STATES, type VisionRequest } from '../vision-request.ts';
import { type EncoderSignature, encoderSignature, type EncoderSizes, requestedOutputs } from '../vision-signature.ts';

export interface ClipVisionRequest extends VisionRequest {
  /** Number of layers that run. */
  readonly layers: number;
  /** Also the class position after the final norm, which is trained for the last layer only. */
  readonly pooled: boolean;
}

export type ClipVisionSignature = EncoderSignature;

export function clipVisionSizes(config: ClipVisionConfig): EncoderSizes {
  return { ...config, hasClassPosition: true };
}

export function clipVisionSignature(config: ClipVisionConfig, request: ClipVisionRequest): ClipVisionSignature {
  const { inputs, outputs } = encoderSignature(clipVisionSizes(config), request.layers, request);
  const pooler = f32('batch', config.hiddenSize);
  return { inputs, outputs: { ...outputs, ...(request.pooled && { pooler_output: pooler }) } };
}

export function buildClipVisionModel(
  config: ClipVisionConfig,
  weights: WeightSource,
  prefix: string,
  request: ClipVisionRequest,
): WrittenModel<ClipVisionSignature> {
  const signature = clipVisionSignature(config, request);
  const epsilon = config.layerNormEps;
  return buildGraph({ name: 'clip_vision_model', signature, weights, prefix }, (g, { pixel_values }, root) => {
    const layout: PatchEmbeddingLayout = {
      sizes: clipVisionSizes(config),
      weights: root.at('embeddings'),
      read: (embeddings, rows) => embeddingTensors(g, embeddings, rows, config),
    };
    const embedded = patchEmbeddings(g, pixel_values, layout, request);
    // `pre_layrnorm` is spelled like this in the checkpoint.
    const stack = encoderStack(
      g,
      layerNorm(g, embedded, root.at('pre_layrnorm'), { epsilon }),
      root.at('encoder.layers'),
      {
        ...config,
        layers: request.layers,
        numHeads: config.numAttentionHeads,
        attention: SEPARATE_PROJECTIONS,
        attentions: request.attentions,
      },
    );
    const classPosition = (): F32 => firstPosition(g, stack.lastHiddenState);
    return {
      last_hidden_state: stack.lastHiddenState,
      ...(request.pooled && {
        pooler_output: layerNorm(g, classPosition(), root.at('post_layernorm'), { epsilon }),
      }),
      ...requestedOutputs(request, stack),
    };
  });
}

function embeddingTensors(
  g: Graph,
  weights: Weights,
  rows: number,
  { hiddenSize, numChannels, patchSize }: ClipVisionConfig,
): PatchEmbeddingWeights {
  return {
    kernel: weights.get('patch_embedding.weight', [hiddenSize, numChannels, patchSize, patchSize]),
    classEmbedding: reshape(g, weights.get('class_embedding', [hiddenSize]), [1, 1, hiddenSize]),
    positions: reshape(g, weights.get('position_embedding.weight', [rows, hiddenSize]), [1, rows, hiddenSize]),
  };
}

/** The request of a graph that uses every tensor of the checkpoint. */
export function wholeClipRequest({ numHiddenLayers: layers }: ClipVisionConfig): ClipVisionRequest {
  return { ...FINAL_STATES, layers, pooled: true };
}

/** Every tensor of the encoder's checkpoint, by name and shape. */
export function clipVisionTensors(config: ClipVisionConfig, prefix: string): RecordedWeight[] {
  return recordWeights((weights) => void buildClipVisionModel(config, weights, prefix, wholeClipRequest(config)));
}
