import type { Blip2QFormerConfig } from '@blip2/config';
import type { PlannedWeight, PrecisionChoice } from '@blip2/interfaces';
import { type PartWeights, planPart } from '@blip2/part';

import { buildWholeQFormer, type QFormerContent } from './graph/qformer-graph.ts';

/**
 * What a Q-Former's file of converted weights holds at a precision; undefined if the checkpoint is used as stored.
 */
export function planQFormer(
  config: Blip2QFormerConfig,
  weights: Pick<PartWeights, 'store' | 'prefix'>,
  dtype?: PrecisionChoice,
  content?: QFormerContent,
): PlannedWeight[] | undefined {
  return planPart(
    { graphs: (_, finder, prefix) => buildWholeQFormer(config, finder, prefix, content) },
    config,
    weights,
    dtype,
  ).prefill;
}
