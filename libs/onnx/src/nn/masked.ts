/**
 * Added to a score that must not count: the lowest float32. Finite, so that a row without any allowed key still has a
 * softmax.
 */
export const MASKED: number = -3.4028234663852886e38;
