import { Blip2Error, type QueryFeatures } from '@blip2/interfaces';

/**
 * Positions of one tensor before those of another, row by row: `[batch, a, hidden]`, `[batch, b, hidden]` → `[batch, a
 * + b, hidden]`.
 */
export function joinPositions(first: QueryFeatures, second: QueryFeatures): QueryFeatures {
  const [batch, before, hidden] = first.dims;
  const [rows, after, width] = second.dims;
  if (rows !== batch || width !== hidden) {
    throw new Blip2Error('SHAPE_MISMATCH', 'These positions do not belong together', {
      expected: `[${first.dims.join(', ')}]`,
      got: `[${second.dims.join(', ')}]`,
    });
  }
  const data = new Float32Array(batch * (before + after) * hidden);
  for (let row = 0; row < batch; row++) {
    const start = row * (before + after) * hidden;
    data.set(first.data.subarray(row * before * hidden, (row + 1) * before * hidden), start);
    data.set(second.data.subarray(row * after * hidden, (row + 1) * after * hidden), start + before * hidden);
  }
  return { type: 'float32', dims: [batch, before + after, hidden], data };
}

/** The first `count` positions of every row. */
export function firstPositions(
  { dims: [batch, positions, hidden], data }: QueryFeatures,
  count: number,
): QueryFeatures {
  const kept = new Float32Array(batch * count * hidden);
  for (let row = 0; row < batch; row++)
    kept.set(data.subarray(row * positions * hidden, (row * positions + count) * hidden), row * count * hidden);
  return { type: 'float32', dims: [batch, count, hidden], data: kept };
}
