import type { AttentionMask, SpecialTokens, Tensor } from '@blip2/interfaces';
import type { WeightSource, WrittenModel } from '@blip2/onnx';

import type { StoresByRows } from '../decoding/decode-stores.ts';
import type { EmbeddingSignature } from '../token-embedding-graph.ts';
import type { CausalRequest, CausalSignature, CausalSizes } from './causal-signature.ts';

/** Inputs of a graph that encode positions. */
export type PositionInputs = Readonly<Record<string, Tensor<'float32' | 'int64'>>>;

/** What a decoder-only architecture supplies: its graphs and their position inputs. Everything else is shared. */
export interface CausalArchitecture {
  readonly sizes: CausalSizes;
  readonly maxPositions: number;
  readonly specialTokens: SpecialTokens;
  /** The optional outputs of `forward` by default. */
  readonly outputDefaults: { readonly outputHiddenStates: boolean; readonly outputAttentions: boolean };
  buildEmbedding(): WrittenModel<EmbeddingSignature>;
  /** The weights of the decoder. */
  readonly stores: StoresByRows;
  buildDecoder(request: CausalRequest, store: WeightSource): WrittenModel<CausalSignature>;
  /** Positions that windowed layers attend to; undefined if no layer has a window. */
  readonly window?: number | undefined;
  /** Whether a row does not depend on the lengths of others. Default: true. */
  readonly isJoinable?: boolean;
  /** The position inputs of the last `count` positions of a mask over all positions so far. */
  positionInputs(mask: AttentionMask, count: number, use: 'decoding' | 'forward'): PositionInputs;
}
