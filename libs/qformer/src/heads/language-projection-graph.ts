/**
 * The linear layer from the Q-Former to the token embedding space (arXiv 2301.12597, section 3.3); checkpoint path
 * `language_projection`.
 */
import { f32, type TensorSpec } from '@blip2/interfaces';
import {
  buildGraph,
  linear,
  type RecordedWeight,
  recordWeights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

export interface ProjectionSize {
  readonly inFeatures: number;
  readonly outFeatures: number;
}

export interface ProjectionSignature {
  readonly inputs: { readonly query_output: TensorSpec<'float32', readonly ['batch', 'queries', number]> };
  readonly outputs: { readonly inputs_embeds: TensorSpec<'float32', readonly ['batch', 'queries', number]> };
}

export function buildLanguageProjection(
  { inFeatures, outFeatures }: ProjectionSize,
  weights: WeightSource,
  prefix: string,
): WrittenModel<ProjectionSignature> {
  const signature = {
    inputs: { query_output: f32('batch', 'queries', inFeatures) },
    outputs: { inputs_embeds: f32('batch', 'queries', outFeatures) },
  };
  return buildGraph({ name: 'language_projection', signature, weights, prefix }, (g, { query_output }, root) => ({
    inputs_embeds: linear(g, query_output, root, { inFeatures, outFeatures, bias: true }),
  }));
}

/** Every tensor of the layer's checkpoint, by name and shape. */
export function languageProjectionTensors(size: ProjectionSize, prefix: string): RecordedWeight[] {
  return recordWeights((weights) => void buildLanguageProjection(size, weights, prefix));
}
