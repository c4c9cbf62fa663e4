import type { Activation } from '../schema/activation.ts';
import { requirePatches } from '../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { activation, count, deviation, flag, optional } from '../schema/field-types.ts';
import { MAX_WIDTH } from '../schema/limits.ts';
import type { VisionConfigFamily, VisionConfigMembers } from './vision-family.ts';
import { type SharedVisionFields, sharedVisionFields } from './vision-transformer-fields.ts';

interface VitFields extends SharedVisionFields {
  readonly intermediateSize: number;
  readonly qkvBias: boolean;
  readonly poolerAct: Activation;
  readonly initializerRange: number;
}

/** The vision transformer ViT (HF `ViTConfig`), a ViT-B/16 by default. */
export interface VitConfig extends VitFields, VisionConfigMembers {
  readonly modelType: 'vit';
  /** Width of the pooler's output: `hiddenSize` unless it is stored. */
  readonly poolerOutputSize: number;
}

type StoredFields = VitFields & { readonly poolerOutputSize: number | undefined };

/** Names on disk, defaults and bounds. Source: `models/vit/configuration_vit.py`, transformers 5.18. */
const fields: FieldTable<StoredFields> = {
  ...sharedVisionFields({
    patchSize: 16,
    activation: 'gelu',
    epsilon: 1e-12,
    dropoutKey: 'attention_probs_dropout_prob',
  }),
  intermediateSize: count('intermediate_size', 3072, MAX_WIDTH),
  qkvBias: flag('qkv_bias', true),
  poolerOutputSize: optional(count('pooler_output_size', 768, MAX_WIDTH)),
  poolerAct: activation('pooler_act', 'tanh'),
  initializerRange: deviation('initializer_range', 0.02),
};

export const VitConfig: ConfigFormat<VitConfig> = defineConfig<VitConfig, StoredFields>({
  modelType: 'vit',
  key: 'vision_config',
  // Models with a head have the same type, and no `vision_config`.
  fullModelTypes: [],
  fields,
  derive: (stored) => ({ ...stored, poolerOutputSize: stored.poolerOutputSize ?? stored.hiddenSize }),
  check: requirePatches,
});

export const vitFamily: VisionConfigFamily<VitConfig> = { format: VitConfig, fullModelTypes: [] };
