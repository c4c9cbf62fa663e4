/** How much was done at a time, in milliseconds. */
export interface Moment {
  readonly done: number;
  readonly at: number;
}

/**
 * Milliseconds over which a rate is taken: long enough for large batches, short enough to forget how slow the first
 * was, which reads the weights.
 */
const WINDOW = 60_000;
/** Moments within the window that count at least, however long they took. */
const FEWEST = 3;

/** How many per second, lately; `undefined` while nothing can be said. Moments that are too old are taken away. */
export function paceOf(moments: Moment[]): number | undefined {
  const last = moments.at(-1);
  if (!last) return undefined;
  while (moments.length > FEWEST && last.at - (moments[1]?.at ?? last.at) > WINDOW) moments.shift();
  const [first] = moments;
  if (!first || last.done <= first.done || last.at <= first.at) return undefined;
  return ((last.done - first.done) / (last.at - first.at)) * 1000;
}
