import { medianOf, rangeOf } from '@blip2/cli';

/** Measured values by name. */
export type Samples = Readonly<Record<string, readonly number[]>>;

/** Medians by name, and the minimum and maximum of each under `ranges`. */
export type Summary = Readonly<Record<string, number>> & { readonly ranges: Ranges };
/** Minimum and maximum by name. */
export type Ranges = Readonly<Record<string, readonly [least: number, most: number]>>;

/** Rounds to at most four significant digits, and to hundredths. */
export function rounded(value: number): number {
  return value >= 100 ? Math.round(value * 10) / 10 : Math.round(value * 100) / 100;
}

/** Summarizes samples as rounded medians and ranges. */
export function summaryOf(samples: Samples): { readonly [name: string]: number | Ranges; readonly ranges: Ranges } {
  const entries = Object.entries(samples);
  const ranges: Ranges = Object.fromEntries(
    entries.map(([name, values]) => {
      const [least, most] = rangeOf(values);
      return [name, [rounded(least), rounded(most)] as const];
    }),
  );
  return { ...Object.fromEntries(entries.map(([name, values]) => [name, rounded(medianOf(values))])), ranges };
}

/** The norm of `got - expected`, divided by the norm of `expected`. */
export function relativeError(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const value = expected[i]!;
    difference += (got[i]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(difference / size);
}
