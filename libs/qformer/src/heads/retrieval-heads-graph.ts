/**
 * The small layers after the Q-Former of a retrieval model (arXiv 2301.12597, section 3.1); checkpoint paths
 * `vision_projection`, `text_projection`, `itm_head`.
 */
import { f32, type TensorSpec } from '@blip2/interfaces';
import {
  binary,
  buildGraph,
  type F32,
  type Graph,
  linear,
  maximum,
  type RecordedWeight,
  recordWeights,
  reduce,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

import type { ProjectionSize } from './language-projection-graph.ts';

export interface RetrievalProjectionSignature {
  readonly inputs: { readonly states: TensorSpec<'float32', readonly ['batch', 'positions', number]> };
  readonly outputs: { readonly embeds: TensorSpec<'float32', readonly ['batch', 'positions', number]> };
}

export interface MatchingHeadSignature {
  readonly inputs: { readonly states: TensorSpec<'float32', readonly ['batch', 'queries', number]> };
  readonly outputs: { readonly logits: TensorSpec<'float32', readonly ['batch', number]> };
}

/** Classes of the matching head: 0 does not match, 1 matches. */
export const MATCHING_CLASSES = 2;
/** Shortest length that is normalized to 1 (`torch.nn.functional.normalize`). */
const SHORTEST = 1e-12;

/** Projects every position to a unit vector in the space in which images and texts are compared. */
export function buildRetrievalProjection(
  { inFeatures, outFeatures }: ProjectionSize,
  weights: WeightSource,
  prefix: string,
): WrittenModel<RetrievalProjectionSignature> {
  const signature = {
    inputs: { states: f32('batch', 'positions', inFeatures) },
    outputs: { embeds: f32('batch', 'positions', outFeatures) },
  };
  return buildGraph({ name: 'retrieval_projection', signature, weights, prefix }, (g, { states }, root) => ({
    embeds: unitLength(g, linear(g, states, root, { inFeatures, outFeatures, bias: true })),
  }));
}

/** The image-text matching head: logits of every query, averaged over the queries. */
export function buildMatchingHead(
  inFeatures: number,
  weights: WeightSource,
  prefix: string,
): WrittenModel<MatchingHeadSignature> {
  const signature = {
    inputs: { states: f32('batch', 'queries', inFeatures) },
    outputs: { logits: f32('batch', MATCHING_CLASSES) },
  };
  return buildGraph({ name: 'itm_head', signature, weights, prefix }, (g, { states }, root) => {
    const scores = linear(g, states, root, { inFeatures, outFeatures: MATCHING_CLASSES, bias: true });
    return { logits: reduce(g, 'ReduceMean', scores, [1], { keep: false }) };
  });
}

function unitLength(g: Graph, x: F32): F32 {
  const length = reduce(g, 'ReduceL2', x, [-1], { keep: true });
  return binary(g, 'Div', x, maximum(g, length, g.constant('float32', [], [SHORTEST])));
}

/** Every tensor of a projection's checkpoint, by name and shape. */
export function retrievalProjectionTensors(size: ProjectionSize, prefix: string): RecordedWeight[] {
  return recordWeights((weights) => void buildRetrievalProjection(size, weights, prefix));
}

/** Every tensor of the matching head's checkpoint, by name and shape. */
export function matchingHeadTensors(inFeatures: number, prefix: string): RecordedWeight[] {
  return recordWeights((weights) => void buildMatchingHead(inFeatures, weights, prefix));
}
