/**
 * The image encoder of CLIP: a pre-norm vision transformer with one more norm after its embeddings.
 * Paper: arXiv 2103.00020; HF class `CLIPVisionModel`; checkpoint path `vision_model`.
 */
import type { ClipVisionConfig } from '@blip2/config';
import { f32, type WeightStore } from '@blip2/interfaces';
import {
  buildGraph,
  encoderStack,
  gather,
  type Graph,
  layerNorm,
  type RecordedWeight,
  recordWeights,
  reshape,
  type Value,
  type WeightFinder,
  type Weights,
  type WrittenModel,
} from '@blip2/onnx';

import { patchEmbeddings } from '../patch-embeddings.ts';
import {
  type EncoderSignature,
  encoderSignature,
  type EncoderSizes,
  FINAL_STATES,
  patchesPerSide,
  requestedOutputs,
  type VisionRequest,
} from '../vision-signature.ts';

export interface ClipVisionRequest extends VisionRequest {
  /** Number of layers that run. */
  readonly layers: number;
  /** Also the class position after the final norm, which is trained for the last layer only. */
  readonly pooled: boolean;
}

export type ClipVisionSignature = EncoderSignature;

/** Names of the projections of self-attention. */
const ATTENTION = {
  inputs: { separate: ['q_proj', 'k_proj', 'v_proj'] },
  inputBias: true,
  output: 'out_proj',
} as const;

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
  weights: WeightStore | WeightFinder,
  prefix: string,
  request: ClipVisionRequest,
): WrittenModel<ClipVisionSignature> {
  const signature = clipVisionSignature(config, request);
  const epsilon = config.layerNormEps;
  return buildGraph({ name: 'clip_vision_model', signature, weights, prefix }, (g, { pixel_values }, root) => {
    const embedded = embeddings(g, pixel_values, root.at('embeddings'), config, request);
    // `pre_layrnorm` is spelled like this in the checkpoint.
    const stack = encoderStack(
      g,
      layerNorm(g, embedded, root.at('pre_layrnorm'), { epsilon }),
      root.at('encoder.layers'),
      {
        ...config,
        layers: request.layers,
        numHeads: config.numAttentionHeads,
        attention: ATTENTION,
        attentions: request.attentions,
      },
    );
    const classPosition = (): Value<'float32'> => gather(g, stack.lastHiddenState, g.constant('int64', [], [0]), 1);
    return {
      last_hidden_state: stack.lastHiddenState,
      ...(request.pooled && {
        pooler_output: layerNorm(g, classPosition(), root.at('post_layernorm'), { epsilon }),
      }),
      ...requestedOutputs(request, stack),
    };
  });
}

function embeddings(
  g: Graph,
  pixelValues: Value<'float32'>,
  weights: Weights,
  config: ClipVisionConfig,
  { interpolatePosEncoding }: VisionRequest,
): Value<'float32'> {
  const { hiddenSize, patchSize, numChannels } = config;
  const rows = 1 + patchesPerSide(config) ** 2;
  return g.scope(weights.path, () =>
    patchEmbeddings(
      g,
      pixelValues,
      {
        kernel: weights.get('patch_embedding.weight', [hiddenSize, numChannels, patchSize, patchSize]),
        classEmbedding: reshape(g, weights.get('class_embedding', [hiddenSize]), [1, 1, hiddenSize]),
        positions: reshape(g, weights.get('position_embedding.weight', [rows, hiddenSize]), [1, rows, hiddenSize]),
      },
      clipVisionSizes(config),
      interpolatePosEncoding,
    ),
  );
}

/** The request of a graph that uses every tensor of the checkpoint. */
export function wholeClipRequest({ numHiddenLayers: layers }: ClipVisionConfig): ClipVisionRequest {
  return { ...FINAL_STATES, layers, pooled: true };
}

/** Every tensor of the encoder's checkpoint, by name and shape. */
export function clipVisionTensors(config: ClipVisionConfig, prefix: string): RecordedWeight[] {
  return recordWeights((weights) => void buildClipVisionModel(config, weights, prefix, wholeClipRequest(config)));
}
