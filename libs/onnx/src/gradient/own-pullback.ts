import type { F32 } from '../value.ts';

/**
 * The gradients with respect to the inputs of a node, in order. Only those that are needed are computed; undefined for
 * an input that has none, such as indices.
 */
export type InputGradients = readonly ((() => F32) | undefined)[];

/** The pullback of a layer as a whole. */
export interface OwnPullback {
  /** The inputs that the layer is differentiated with respect to. */
  readonly inputs: readonly F32[];
  /** From the gradient of the layer's result to those of `inputs`. */
  readonly pullback: (dy: F32) => InputGradients;
}
