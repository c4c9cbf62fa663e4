/** Positions of one row that were appended together. Copies of a row have the same object. */
export interface Span {
  readonly start: number;
}

/** The first position at which rows differ; undefined if they are equal. Both have equally many positions. */
export function firstDifference(a: readonly Span[], b: readonly Span[]): number | undefined {
  return a.find((span, at) => span !== b[at])?.start;
}

/**
 * The spans of rows whose positions move by `by`. Rows that shared a span still do. Slots that are new at the start are
 * a span of their own, which no other row has.
 */
export function shiftedSpans(rows: readonly (readonly Span[])[], by: number): readonly (readonly Span[])[] {
  if (by === 0) return rows;
  const moved = new Map<Span, Span>();
  const move = (span: Span): Span => {
    const known = moved.get(span) ?? { start: Math.max(0, span.start + by) };
    moved.set(span, known);
    return known;
  };
  return rows.map((spans) => [...(by > 0 ? [{ start: 0 }] : []), ...spans.map(move)]);
}

/** Layout of an array of keys or values, `[rows, heads, capacity, headSize]`, of which `length` slots are used. */
export interface RowShape {
  readonly heads: number;
  readonly headSize: number;
  readonly capacity: number;
  readonly length: number;
}

/** How a cache is copied to new arrays. */
export interface CopyOptions {
  readonly capacity?: number;
  readonly rowCapacity?: number;
  /** First slot that is copied. */
  readonly from?: number;
  /** Slot that it is copied to. */
  readonly to?: number;
}

/** A row that becomes a copy of another from slot `start` on. */
export interface RowMove {
  readonly parent: number;
  readonly row: number;
  readonly start: number;
}

/** Copies rows in place. Sources are copied before any row is written. */
export function moveRows(
  data: Float32Array,
  moves: readonly RowMove[],
  { heads, headSize, capacity, length }: RowShape,
): void {
  const slot = (row: number, head: number, start: number): number =>
    ((row * heads + head) * capacity + start) * headSize;
  const sources = moves.map(({ parent, start }) => {
    const size = (length - start) * headSize;
    const source = new Float32Array(heads * size);
    for (let head = 0; head < heads; head++) {
      const from = slot(parent, head, start);
      source.set(data.subarray(from, from + size), head * size);
    }
    return source;
  });
  moves.forEach(({ row, start }, index) => {
    const size = (length - start) * headSize;
    const source = sources[index] ?? new Float32Array(0);
    for (let head = 0; head < heads; head++)
      data.set(source.subarray(head * size, (head + 1) * size), slot(row, head, start));
  });
}

/** Copies rows of another array to the rows from `first` on. They end at slot `length` and start with zeros. */
export function addRows(
  target: Float32Array,
  { heads, headSize, capacity, length, first }: RowShape & { readonly first: number },
  source: Float32Array | undefined,
  from: { readonly capacity: number; readonly length: number; readonly rows: readonly number[] },
): void {
  const stride = capacity * headSize;
  const used = from.length * headSize;
  const start = (length - from.length) * headSize;
  for (const [index, row] of from.rows.entries()) {
    for (let head = 0; head < heads; head++) {
      const begin = ((first + index) * heads + head) * stride;
      const into = target.subarray(begin, begin + stride);
      const at = (row * heads + head) * from.capacity * headSize;
      // What a row left behind here may be NaN, which a mask does not remove.
      into.fill(0, 0, start).fill(0, start + used);
      if (source) into.set(source.subarray(at, at + used), start);
    }
  }
}
