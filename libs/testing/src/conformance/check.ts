/**
 * One property that every implementation of a seam has. `run` rejects with `NOT_CONFORMING`, or with what the part
 * itself threw, where it does not hold.
 */
export interface Check {
  readonly name: string;
  run(): Promise<void>;
}

/** How far two float results may lie apart: `|a - b| <= absolute + relative * |b|`. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** A little more than what float32 rounding explains in models of this kind. */
export const FLOAT32_TOLERANCE: Tolerance = { absolute: 1e-4, relative: 1e-4 };
export const EXACT: Tolerance = { absolute: 0, relative: 0 };
