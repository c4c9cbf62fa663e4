/**
 * Pre-norm vision transformers (arXiv 2010.11929): patch embeddings, blocks, a final norm and a pooler. Families differ
 * in the names of tensors, in the class position, in the feed-forward and in the pooler.
 */
import { f32 } from '@blip2/interfaces';
import {
  buildGraph,
  encoderStack,
  layerNorm,
  type RecordedWeight,
  recordWeights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { type PatchEmbeddingLayout, patchEmbeddings } from '../patch-embeddings.ts';
import { FINAL_STATES, type VisionRequest } from '../vision-request.ts';
import { type EncoderSignature, encoderSignature, type EncoderSizes, requestedOutputs } from '../vision-signature.ts';
import type { VisionTransformerConfig, VisionTransformerLayout } from './vision-transformer-layout.ts';

export interface VisionTransformerRequest extends VisionRequest {
  /** Also the output of the pooler. */
  readonly pooled: boolean;
  /** Number of layers that run, without the final norm. Default: all, and the norm. */
  readonly layers?: number;
}

export function visionTransformerSizes<C extends VisionTransformerConfig>(
  config: C,
  { hasClassPosition }: VisionTransformerLayout<C>,
): EncoderSizes {
  return { ...config, hasClassPosition };
}

export function visionTransformerSignature<C extends VisionTransformerConfig>(
  config: C,
  layout: VisionTransformerLayout<C>,
  request: VisionTransformerRequest,
): EncoderSignature {
  const sizes = visionTransformerSizes(config, layout);
  const { inputs, outputs } = encoderSignature(sizes, request.layers ?? config.numHiddenLayers, request);
  const pooled = f32('batch', layout.pooler.width(config));
  return { inputs, outputs: { ...outputs, ...(request.pooled && { pooler_output: pooled }) } };
}

export function buildVisionTransformer<C extends VisionTransformerConfig>(
  config: C,
  layout: VisionTransformerLayout<C>,
  weights: WeightSource,
  prefix: string,
  request: VisionTransformerRequest,
): WrittenModel<EncoderSignature> {
  const signature = visionTransformerSignature(config, layout, request);
  return buildGraph({ name: layout.name, signature, weights, prefix }, (g, { pixel_values }, root) => {
    const embedding: PatchEmbeddingLayout = {
      sizes: visionTransformerSizes(config, layout),
      weights: root.at(layout.embeddingsPath ?? 'embeddings'),
      antialias: layout.antialias ?? false,
      read: (embeddings, positions) => layout.embeddings(g, embeddings, positions, config, root),
    };
    const embedded = patchEmbeddings(g, pixel_values, embedding, request);
    const stack = encoderStack(g, embedded, root.at(layout.layers), {
      ...config,
      ...layout.block(config),
      layers: request.layers ?? config.numHiddenLayers,
      numHeads: config.numAttentionHeads,
      attentions: request.attentions,
    });
    const isNormed = request.layers === undefined && (layout.hasFinalNorm?.(config) ?? true);
    const states = isNormed
      ? layerNorm(g, stack.lastHiddenState, root.at(layout.finalNorm), { epsilon: config.layerNormEps })
      : stack.lastHiddenState;
    return {
      last_hidden_state: states,
      ...(request.pooled && { pooler_output: layout.pooler.pool(g, states, root, config) }),
      ...requestedOutputs(request, stack),
    };
  });
}

/** Every tensor of the encoder's checkpoint that the graph uses, by name and shape. */
export function visionTransformerTensors<C extends VisionTransformerConfig>(
  config: C,
  layout: VisionTransformerLayout<C>,
  prefix: string,
): RecordedWeight[] {
  const request = { ...FINAL_STATES, pooled: layout.pooler.exists(config, () => true) };
  return recordWeights((weights) => void buildVisionTransformer(config, layout, weights, prefix, request));
}
