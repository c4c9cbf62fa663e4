/** The largest logit; -Infinity if there are none. NaN is ignored. */
export function maximum(logits: Float32Array): number {
  let largest = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? 0;
    if (logit > largest) largest = logit;
  }
  return largest;
}

/** `log(sum(exp(logits)))`, summed in double precision; NaN if any logit is NaN. */
export function logSumExp(logits: Float32Array): number {
  const largest = maximum(logits);
  if (largest === -Infinity) return logits.some(Number.isNaN) ? NaN : -Infinity;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp((logits[id] ?? 0) - largest);
  return largest + Math.log(sum);
}

/** Replaces logits by log-probabilities in place. */
export function logSoftmaxInPlace(logits: Float32Array): void {
  const total = logSumExp(logits);
  for (let id = 0; id < logits.length; id++) logits[id] = (logits[id] ?? 0) - total;
}

/** Probabilities in float32, the precision in which HF compares them with thresholds. */
export function softmax(logits: Float32Array): Float32Array {
  const total = logSumExp(logits);
  return logits.map((logit) => Math.exp(logit - total));
}
