/**
 * The image encoder of BLIP-2: a pre-norm vision transformer (EVA-CLIP ViT-g in the stock checkpoints).
 * Paper: arXiv 2301.12597, section 3; HF class `Blip2VisionModel`; checkpoint path `vision_model`.
 */
import type { Blip2VisionConfig } from '@blip2/config';
import { f32, type TensorSpec } from '@blip2/interfaces';
import {
  buildGraph,
  encoderStack,
  type F32,
  firstPosition,
  layerNorm,
  type RecordedWeight,
  recordWeights,
  type Weights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import { type PatchEmbeddingLayout, patchEmbeddings, type PatchEmbeddingWeights } from '../patch-embeddings.ts';
import { FINAL_STATES, type VisionRequest } from '../vision-request.ts';
import { type EncoderSignature, encoderSignature, type EncoderSizes, requestedOutputs } from '../vision-signature.ts';

/** Images are red, green and blue. */
const NUM_CHANNELS = 3;
/** Names of the projections of self-attention. */
const ATTENTION = { inputs: { fused: 'self_attn.qkv' }, output: 'self_attn.projection' } as const;

export interface Blip2VisionRequest extends VisionRequest {
  /** Number of layers that run, without the final norm and the pooler. Default: all, and both. */
  readonly layers?: number;
}

export interface VisionSignature extends Pick<EncoderSignature, 'inputs'> {
  readonly outputs: EncoderSignature['outputs'] & {
    readonly pooler_output: TensorSpec<'float32', readonly ['batch', number]>;
  };
}

export function blip2VisionSizes(config: Blip2VisionConfig): EncoderSizes {
  return { ...config, numChannels: NUM_CHANNELS, hasClassPosition: true };
}

export function visionSignature(config: Blip2VisionConfig, request: Blip2VisionRequest): VisionSignature {
  const layers = request.layers ?? config.numHiddenLayers;
  const { inputs, outputs } = encoderSignature(blip2VisionSizes(config), layers, request);
  return { inputs, outputs: { ...outputs, pooler_output: f32('batch', config.hiddenSize) } };
}

export function buildVisionModel(
  config: Blip2VisionConfig,
  weights: WeightSource,
  prefix: string,
  request: Blip2VisionRequest,
): WrittenModel<VisionSignature> {
  const signature = visionSignature(config, request);
  const { numAttentionHeads: numHeads, layerNormEps: epsilon, qkvBias } = config;
  return buildGraph({ name: 'vision_model', signature, weights, prefix }, (g, { pixel_values }, root) => {
    const layout: PatchEmbeddingLayout = {
      sizes: blip2VisionSizes(config),
      weights: root.at('embeddings'),
      read: (embeddings, positions) => embeddingTensors(embeddings, positions, config),
    };
    const embedded = patchEmbeddings(g, pixel_values, layout, request);
    const stack = encoderStack(g, embedded, root.at('encoder.layers'), {
      ...config,
      layers: request.layers ?? config.numHiddenLayers,
      numHeads,
      attention: { ...ATTENTION, inputBias: qkvBias },
      attentions: request.attentions,
    });
    const norm = (x: F32): F32 => layerNorm(g, x, root.at('post_layernorm'), { epsilon });
    const lastHiddenState = request.layers === undefined ? norm(stack.lastHiddenState) : stack.lastHiddenState;
    return {
      last_hidden_state: lastHiddenState,
      // HF applies the norm to the class position a second time.
      pooler_output: norm(firstPosition(g, lastHiddenState)),
      ...requestedOutputs(request, stack),
    };
  });
}

function embeddingTensors(
  weights: Weights,
  positions: number,
  { hiddenSize, patchSize }: Blip2VisionConfig,
): PatchEmbeddingWeights {
  const patch = weights.at('patch_embedding');
  return {
    kernel: patch.get('weight', [hiddenSize, NUM_CHANNELS, patchSize, patchSize]),
    bias: patch.get('bias', [hiddenSize]),
    classEmbedding: weights.get('class_embedding', [1, 1, hiddenSize]),
    positions: weights.get('position_embedding', [1, positions, hiddenSize]),
  };
}

/** Every tensor of the encoder's checkpoint, by name and shape. */
export function visionTensors(config: Blip2VisionConfig, prefix: string): RecordedWeight[] {
  return recordWeights((weights) => void buildVisionModel(config, weights, prefix, FINAL_STATES));
}
