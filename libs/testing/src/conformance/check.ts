/** A property that every implementation of an interface must have, independent of the test runner. */
export interface Check {
  /** Title of the test. */
  readonly name: string;
  /**
   * Runs the check.
   * @throws Blip2Error `NOT_CONFORMING` if the property does not hold; errors of the implementation are passed on.
   */
  run(): Promise<void>;
}

/** Tolerance of float comparisons: `|a - b| <= absolute + relative * |b|`. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** Slightly above the rounding errors of these models in float32. */
export const FLOAT32_TOLERANCE: Tolerance = { absolute: 1e-4, relative: 1e-4 };
/** No tolerance. */
export const EXACT: Tolerance = { absolute: 0, relative: 0 };
