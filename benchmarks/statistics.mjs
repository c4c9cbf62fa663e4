/** The middle value, or the mean of the two in the middle. */
export function medianOf(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** Four significant digits at most, and never more than hundredths. */
export const rounded = (value) => (value >= 100 ? Math.round(value * 10) / 10 : Math.round(value * 100) / 100);

/** Medians by name, and under `ranges` least and most. */
export function summaryOf(samples) {
  const entries = Object.entries(samples);
  return {
    ...Object.fromEntries(entries.map(([name, values]) => [name, rounded(medianOf(values))])),
    ranges: Object.fromEntries(
      entries.map(([name, values]) => [name, [rounded(Math.min(...values)), rounded(Math.max(...values))]]),
    ),
  };
}

/** Root mean square of the differences, of that of what was expected. */
export function relativeError(got, expected) {
  let [difference, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference += (got[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(difference / size);
}
