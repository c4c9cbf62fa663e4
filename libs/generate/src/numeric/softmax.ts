/** The largest score; -Infinity of none. NaN is never the largest. */
export function maximum(scores: Float32Array): number {
  let largest = -Infinity;
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!;
    if (score > largest) largest = score;
  }
  return largest;
}

/** `log(sum(exp(scores)))`, summed in double precision; NaN if any score is NaN. */
export function logSumExp(scores: Float32Array): number {
  const largest = maximum(scores);
  if (largest === -Infinity) return scores.some(Number.isNaN) ? NaN : -Infinity;
  let sum = 0;
  for (let id = 0; id < scores.length; id++) sum += Math.exp(scores[id]! - largest);
  return largest + Math.log(sum);
}

/** Turns scores into log-probabilities in place. */
export function logSoftmaxInPlace(scores: Float32Array): void {
  const total = logSumExp(scores);
  for (let id = 0; id < scores.length; id++) scores[id] = scores[id]! - total;
}

/** Probabilities of the scores, in float32 as the reference has them when it compares them with a threshold. */
export function softmax(scores: Float32Array): Float32Array {
  const total = logSumExp(scores);
  return scores.map((score) => Math.exp(score - total));
}
