/** A learning rate that rises and then falls. */
export interface RateSchedule {
  /** The highest rate. */
  readonly peak: number;
  /** Number of steps in which it rises linearly to the peak. */
  readonly warmupSteps: number;
  /** Number of steps of the whole run, at whose end it is 0. */
  readonly steps: number;
}

/** The learning rate of a step, from 0: linear warm-up, then half a cosine (arXiv 1608.03983). */
export function learningRate({ peak, warmupSteps, steps }: RateSchedule, step: number): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return peak * 0.5 * (1 + Math.cos(Math.PI * progress));
}
