import type { Blip2QFormerConfig } from '@blip2/config';
import type { PlannedWeight, PrecisionChoice } from '@blip2/interfaces';
import { partPrecisions, planWeights } from '@blip2/onnx';
import type { PartWeights } from '@blip2/part';

import { buildWholeQFormer, type QFormerContent } from './graph/qformer-graph.ts';

/**
 * What a Q-Former's file of converted weights holds at a precision; nothing where the checkpoint is read as it lies.
 */
export function planQFormer(
  config: Blip2QFormerConfig,
  { store, prefix }: Pick<PartWeights, 'store' | 'prefix'>,
  dtype?: PrecisionChoice,
  content?: QFormerContent,
): PlannedWeight[] | undefined {
  return planWeights(store, partPrecisions(dtype).many, (finder) => buildWholeQFormer(config, finder, prefix, content));
}
