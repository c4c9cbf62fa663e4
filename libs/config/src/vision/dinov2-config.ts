import { requirePatches } from '../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { deviation, finite, flag, positive } from '../schema/field-types.ts';
import type { VisionConfigFamily, VisionConfigMembers } from './vision-family.ts';
import { type SharedVisionFields, sharedVisionFields } from './vision-transformer-fields.ts';

interface Dinov2Fields extends SharedVisionFields {
  /** Width of the feed-forward relative to `hiddenSize`, before the reduction for a gate. */
  readonly mlpRatio: number;
  /** Whether the feed-forward has a gate (SwiGLU), as in the size giant. */
  readonly useSwigluFfn: boolean;
  readonly qkvBias: boolean;
  /** Initial value of the layer scales. */
  readonly layerscaleValue: number;
  readonly initializerRange: number;
}

/** The vision encoder DINOv2 (HF `Dinov2Config`), a ViT-B/14 by default. */
export interface Dinov2Config extends Dinov2Fields, VisionConfigMembers {
  readonly modelType: 'dinov2';
  /** Width of the feed-forward, after the gate if there is one. */
  readonly intermediateSize: number;
}

/** Names on disk, defaults and bounds. Source: `models/dinov2/configuration_dinov2.py`, transformers 5.18. */
const fields: FieldTable<Dinov2Fields> = {
  ...sharedVisionFields({
    patchSize: 14,
    activation: 'gelu',
    epsilon: 1e-6,
    dropoutKey: 'attention_probs_dropout_prob',
  }),
  mlpRatio: positive('mlp_ratio', 4),
  useSwigluFfn: flag('use_swiglu_ffn', false),
  qkvBias: flag('qkv_bias', true),
  layerscaleValue: finite('layerscale_value', 1),
  initializerRange: deviation('initializer_range', 0.02),
};

/** A gated feed-forward has two thirds of the width, rounded up to a multiple of this. */
const GATED_MULTIPLE = 8;

function intermediateSize({ hiddenSize, mlpRatio, useSwigluFfn }: Dinov2Fields): number {
  const width = Math.trunc(hiddenSize * mlpRatio);
  if (!useSwigluFfn) return width;
  return Math.floor((Math.trunc((width * 2) / 3) + GATED_MULTIPLE - 1) / GATED_MULTIPLE) * GATED_MULTIPLE;
}

export const Dinov2Config: ConfigFormat<Dinov2Config> = defineConfig<Dinov2Config, Dinov2Fields>({
  modelType: 'dinov2',
  key: 'vision_config',
  // Models with a head have the same type, and no `vision_config`.
  fullModelTypes: [],
  fields,
  derive: (stored) => ({ ...stored, intermediateSize: intermediateSize(stored) }),
  derived: ['intermediateSize'],
  check: requirePatches,
});

export const dinov2VisionFamily: VisionConfigFamily<Dinov2Config> = { format: Dinov2Config, fullModelTypes: [] };
