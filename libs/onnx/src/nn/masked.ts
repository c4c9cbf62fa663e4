/**
 * Added to the attention scores of masked positions: the lowest float32. It is finite, so that the softmax of a fully
 * masked row is defined.
 */
export const MASKED: number = -3.4028234663852886e38;
