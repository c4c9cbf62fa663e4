import { type QueryFeatures, slicePositions } from '@blip2/interfaces';

/** The first `count` positions of every row, `[batch, positions, hidden]` → `[batch, count, hidden]`. */
export function firstPositions(states: QueryFeatures, count: number): QueryFeatures {
  return slicePositions(states, 0, count);
}
