/** A vector. */
export type Vector = readonly number[];

/** Power iterations for the principal direction. */
const ITERATIONS = 50;

/**
 * Ways to pool the query vectors of an image, each of length 1: `[queries][size]` to the vectors that a text is
 * compared
 * with. With several, the best match counts.
 */
export const POOLS: Readonly<Record<string, (rows: readonly Vector[]) => readonly Vector[]>> = {
  'every query': (rows) => rows,
  mean: (rows) => [mean(rows)],
  'mean, length 1': (rows) => [unit(mean(rows))],
  first: (rows) => rows.slice(0, 1),
  max: (rows) => [columns(rows, (values) => Math.max(...values))],
  'max, length 1': (rows) => [unit(columns(rows, (values) => Math.max(...values)))],
  medoid: (rows) => [medoid(rows)],
  'principal direction': (rows) => [principal(rows)],
};

/** The dot product. */
export function dot(a: Vector, b: Vector): number {
  return a.reduce((total, value, i) => total + value * b[i]!, 0);
}

function unit(vector: Vector): Vector {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}

function columns(rows: readonly Vector[], combine: (values: Vector) => number): Vector {
  return (rows[0] ?? []).map((_, column) => combine(rows.map((row) => row[column]!)));
}

function sum(values: Vector): number {
  return values.reduce((total, value) => total + value, 0);
}

function mean(rows: readonly Vector[]): Vector {
  return columns(rows, (values) => sum(values) / values.length);
}

/** The query with the largest total similarity to all queries. */
function medoid(rows: readonly Vector[]): Vector {
  const similarity = rows.map((row) => sum(rows.map((other) => dot(row, other))));
  return rows[similarity.indexOf(Math.max(...similarity))] ?? [];
}

/** The first principal direction of all queries, by power iteration from their mean. */
function principal(rows: readonly Vector[]): Vector {
  let direction = unit(mean(rows));
  for (let step = 0; step < ITERATIONS; step++) {
    const previous = direction;
    direction = unit(mean(rows.map((row) => row.map((value) => value * dot(row, previous)))));
  }
  return direction;
}
