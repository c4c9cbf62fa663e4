import type { Blip2QFormerConfig } from '@blip2/config';
import { Blip2Error, type PatchFeatures, type QueryFeatures } from '@blip2/interfaces';

import { hasRelativePositions } from './graph/qformer-graph.ts';

/** @throws Blip2Error `INVALID_ARGUMENT`. */
export function expectQueries(
  queryLength: number,
  { dims: [, positions] }: QueryFeatures,
  patches: PatchFeatures | undefined,
): void {
  if (!Number.isInteger(queryLength) || queryLength < 0 || queryLength > positions) {
    throw new Blip2Error('INVALID_ARGUMENT', 'queryLength must not exceed the number of positions', {
      where: 'queryLength',
      expected: `0 to ${positions}`,
      got: String(queryLength),
    });
  }
  if (queryLength > 0 && !patches)
    throw new Blip2Error('INVALID_ARGUMENT', 'encoderHiddenStates is required if there are queries', {
      where: 'encoderHiddenStates',
      expected: '[batch, patches, hidden]',
      got: 'nothing',
    });
}

/** @throws Blip2Error `SHAPE_MISMATCH` or `INVALID_ARGUMENT`. */
export function expectPast(
  config: Blip2QFormerConfig,
  queryLength: number,
  past: readonly unknown[] | undefined,
): void {
  if (!past) return;
  if (past.length !== config.numHiddenLayers) {
    throw new Blip2Error('SHAPE_MISMATCH', 'pastKeyValues must have one entry per layer', {
      where: 'pastKeyValues',
      expected: String(config.numHiddenLayers),
      got: String(past.length),
    });
  }
  if (queryLength > 0 && hasRelativePositions(config)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'Queries with relative positions cannot follow a cache', {
      where: 'pastKeyValues',
      fix: 'Pass all queries at once; text can follow them from a cache',
    });
  }
}
