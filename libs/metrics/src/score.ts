/** A metric over a data set. */
export interface Score {
  /** Mean over all items. */
  readonly score: number;
  /** Of each item, in their order. */
  readonly scores: Float64Array;
}

export function meanScore(values: readonly number[]): Score {
  return { score: values.reduce((sum, value) => sum + value, 0) / values.length, scores: Float64Array.from(values) };
}
