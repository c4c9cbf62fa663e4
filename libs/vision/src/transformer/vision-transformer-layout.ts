import type { Activation, VisionConfigMembers } from '@blip2/config';
import type { EncoderBlockLayout, F32, Graph, Weights } from '@blip2/onnx';

import type { PatchEmbeddingWeights } from '../patch-embeddings.ts';

/** The members of the configurations of pre-norm vision transformers that the graph uses. */
export interface VisionTransformerConfig extends VisionConfigMembers {
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numChannels: number;
  readonly hiddenAct: Activation;
  readonly layerNormEps: number;
}

/** What a family computes from the final hidden states. */
export interface PoolerLayout<C> {
  /** Width of the result. */
  width(config: C): number;
  /**
   * Whether the encoder has the pooler. `has` returns whether the checkpoint has a tensor, by its name from the root of
   * the encoder.
   */
  exists(config: C, has: (name: string) => boolean): boolean;
  /** `[batch, positions, hidden]`, after the final norm, → `[batch, width]`. */
  pool(g: Graph, states: F32, root: Weights, config: C): F32;
}

/** How a family of pre-norm vision transformers differs from the others. */
export interface VisionTransformerLayout<C extends VisionTransformerConfig> {
  /** Name of the graph. */
  readonly name: string;
  readonly hasClassPosition: boolean;
  /**
   * Whether images of other sizes than that of the configuration are accepted without `interpolatePosEncoding`, as in
   * DINOv2. Default false.
   */
  readonly acceptsAnySize?: boolean;
  /** Path of the embeddings. Default `embeddings`. */
  readonly embeddingsPath?: string;
  /** Whether position embeddings are interpolated with antialiasing, as in timm. Default: not, as in HF. */
  readonly antialias?: boolean;
  /** Reads the tensors of the embeddings; `positions` is the number of rows of the position embeddings. */
  embeddings(g: Graph, weights: Weights, positions: number, config: C, root: Weights): PatchEmbeddingWeights;
  /** Path of the blocks. */
  readonly layers: string;
  block(config: C): EncoderBlockLayout;
  /** Path of the norm after the last block. */
  readonly finalNorm: string;
  /** Whether it exists. Default: always. */
  hasFinalNorm?(config: C): boolean;
  readonly pooler: PoolerLayout<C>;
}
