/** Constants of AdamW (arXiv 1711.05101), as `torch.optim.AdamW` names them. */
export interface AdamWSettings {
  /** Decay of the first and the second moment per step. */
  readonly betas: readonly [number, number];
  readonly eps: number;
  /** Share of the learning rate by which a decayed weight shrinks per step. */
  readonly weightDecay: number;
}

/** The moments of a tensor. */
export interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** One step of one tensor. */
export interface AdamWStep extends AdamWSettings {
  readonly learningRate: number;
  /** What the gradient is multiplied with first, to limit its norm. */
  readonly scale: number;
  /** Number of this step, from 1. */
  readonly step: number;
  readonly isDecayed: boolean;
}

/** Updates a tensor and its moments in place. */
export function adamW(
  weights: Float32Array,
  gradient: Float32Array,
  { first, second }: Moments,
  { betas: [beta1, beta2], eps, weightDecay, learningRate, scale, step, isDecayed }: AdamWStep,
): void {
  const kept = isDecayed ? 1 - learningRate * weightDecay : 1;
  const size = learningRate / (1 - beta1 ** step);
  const correction = Math.sqrt(1 - beta2 ** step);
  for (let i = 0; i < weights.length; i++) {
    const slope = (gradient[i] ?? 0) * scale;
    const m = beta1 * (first[i] ?? 0) + (1 - beta1) * slope;
    const v = beta2 * (second[i] ?? 0) + (1 - beta2) * slope * slope;
    first[i] = m;
    second[i] = v;
    weights[i] = (weights[i] ?? 0) * kept - (size * m) / (Math.sqrt(v) / correction + eps);
  }
}

/** Weight decay pulls towards 0: it suits matrices, and not norms, biases and query tokens, whose size matters. */
export function isDecayed(name: string, dims: readonly number[]): boolean {
  return name !== 'query_tokens' && dims.length > 1;
}

/** Euclidean length of all gradients together. */
export function gradientNorm(gradients: Iterable<Float32Array>): number {
  let total = 0;
  for (const gradient of gradients) {
    let sum = 0;
    for (let i = 0; i < gradient.length; i++) sum += (gradient[i] ?? 0) * (gradient[i] ?? 0);
    total += sum;
  }
  return Math.sqrt(total);
}
