import type { RotaryDecoderConfig, WindowedLayers } from '@blip2/config';

/** Configurations of the kind, with or without windows. */
export type RotaryConfigOf = RotaryDecoderConfig &
  Partial<WindowedLayers> & { readonly slidingWindow?: number | undefined };

/** How a family differs from the others. */
export interface RotaryDecoderLayout {
  /** Prefix of the names of the graphs. */
  readonly name: string;
  readonly queryKeyValueBias?: boolean;
  readonly outputBias?: boolean;
  readonly mlpBias?: boolean;
  /** Queries and keys are normalized head by head before their rotation. */
  readonly headNorms?: boolean;
  /** Norms follow attention and feed-forward too, before their results are added. */
  readonly normsAfter?: boolean;
  /** Norms store their weight minus one. */
  readonly normOffset?: number;
  /** Factor of the token embeddings. */
  readonly embeddingFactor?: number;
  /** Factor of the attention scores. Default `1/√headDim`. */
  readonly scoreFactor?: number;
  /** Bound of the logits, `c · tanh(logits / c)`. */
  readonly logitBound?: number | undefined;
  /** Windowed layers have rotations of their own. */
  readonly windowRotations?: boolean;
  /** One matrix each for queries, keys and values (`qkv_proj`), and for gate and up (`gate_up_proj`). */
  readonly joined?: boolean;
}
