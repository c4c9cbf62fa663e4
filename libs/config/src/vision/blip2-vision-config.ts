import { requirePatches } from '../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { activation, count, deviation, epsilon, flag, probability } from '../schema/field-types.ts';
import { MAX_HEADS, MAX_IMAGE_SIZE, MAX_LAYERS, MAX_WIDTH } from '../schema/limits.ts';
import type { VisionConfigFamily, VisionConfigMembers, VisionTransformerFields } from './vision-family.ts';

interface VisionFields extends VisionTransformerFields {
  readonly qkvBias: boolean;
}

/** The vision encoder of BLIP-2 (HF `Blip2VisionConfig`), a ViT-g/14 by default. */
export interface Blip2VisionConfig extends VisionFields, VisionConfigMembers {
  /** InstructBLIP's encoder differs only in its name. */
  readonly modelType: 'blip_2_vision_model' | 'instructblip_vision_model';
}

/** Names on disk, defaults and bounds. Source: `models/blip_2/configuration_blip_2.py`, transformers 5.18. */
const fields: FieldTable<VisionFields> = {
  hiddenSize: count('hidden_size', 1408, MAX_WIDTH),
  intermediateSize: count('intermediate_size', 6144, MAX_WIDTH),
  numHiddenLayers: count('num_hidden_layers', 39, MAX_LAYERS),
  numAttentionHeads: count('num_attention_heads', 16, MAX_HEADS),
  imageSize: count('image_size', 224, MAX_IMAGE_SIZE),
  patchSize: count('patch_size', 14, MAX_IMAGE_SIZE),
  hiddenAct: activation('hidden_act', 'gelu'),
  layerNormEps: epsilon('layer_norm_eps', 1e-6),
  attentionDropout: probability('attention_dropout', 0),
  initializerRange: deviation('initializer_range', 1e-10),
  qkvBias: flag('qkv_bias', true),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

export const Blip2VisionConfig: ConfigFormat<Blip2VisionConfig> = defineConfig<Blip2VisionConfig, VisionFields>({
  modelType: 'blip_2_vision_model',
  instructBlipType: 'instructblip_vision_model',
  key: 'vision_config',
  fields,
  derive: (stored) => stored,
  check: requirePatches,
});

export const blip2VisionFamily: VisionConfigFamily<Blip2VisionConfig> = {
  format: Blip2VisionConfig,
  fullModelTypes: ['blip-2', 'instructblip'],
};
