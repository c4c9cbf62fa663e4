import { requirePatches } from '../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { count, flag } from '../schema/field-types.ts';
import { MAX_WIDTH } from '../schema/limits.ts';
import type { VisionConfigFamily, VisionConfigMembers } from './vision-family.ts';
import { type SharedVisionFields, sharedVisionFields } from './vision-transformer-fields.ts';

interface SiglipVisionFields extends SharedVisionFields {
  readonly intermediateSize: number;
  /** Whether the encoder has the attention pooler. Vision-language models leave it out. */
  readonly visionUseHead: boolean;
}

/**
 * The vision encoder of SigLIP, and of SigLIP 2 at a fixed resolution (HF `SiglipVisionConfig`), a ViT-B/16 by default.
 */
export interface SiglipVisionConfig extends SiglipVisionFields, VisionConfigMembers {
  readonly modelType: 'siglip_vision_model';
}

/** Names on disk, defaults and bounds. Source: `models/siglip/configuration_siglip.py`, transformers 5.18. */
const fields: FieldTable<SiglipVisionFields> = {
  ...sharedVisionFields({
    patchSize: 16,
    activation: 'gelu_pytorch_tanh',
    epsilon: 1e-6,
    dropoutKey: 'attention_dropout',
  }),
  intermediateSize: count('intermediate_size', 3072, MAX_WIDTH),
  visionUseHead: flag('vision_use_head', true),
};

/**
 * `model_type` of a full SigLIP model, text encoder included. Stock SigLIP 2 models of a fixed resolution have it too.
 */
const FULL_MODEL_TYPES: readonly string[] = ['siglip'];

export const SiglipVisionConfig: ConfigFormat<SiglipVisionConfig> = defineConfig<
  SiglipVisionConfig,
  SiglipVisionFields
>({
  modelType: 'siglip_vision_model',
  key: 'vision_config',
  fullModelTypes: FULL_MODEL_TYPES,
  fields,
  derive: (stored) => stored,
  check: requirePatches,
});

export const siglipVisionFamily: VisionConfigFamily<SiglipVisionConfig> = {
  format: SiglipVisionConfig,
  fullModelTypes: FULL_MODEL_TYPES,
};
