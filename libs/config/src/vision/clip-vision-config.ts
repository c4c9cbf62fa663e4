import { requirePatches } from '../schema/config-rules.ts';
import { type ConfigFormat, defineConfig } from '../schema/define-config.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { activation, count, deviation, epsilon, flag, probability } from '../schema/field-types.ts';
import { MAX_CHANNELS, MAX_HEADS, MAX_IMAGE_SIZE, MAX_LAYERS, MAX_WIDTH } from '../schema/limits.ts';
import type { VisionConfigFamily, VisionConfigMembers, VisionTransformerFields } from './vision-family.ts';

interface ClipVisionFields extends VisionTransformerFields {
  /** Width of CLIP's projection, which the encoder does not include. */
  readonly projectionDim: number;
  readonly numChannels: number;
  readonly initializerFactor: number;
}

/** The vision encoder of CLIP (HF `CLIPVisionConfig`), a ViT-B/32 by default. */
export interface ClipVisionConfig extends ClipVisionFields, VisionConfigMembers {
  readonly modelType: 'clip_vision_model';
}

/** Names on disk, defaults and bounds. Source: `models/clip/configuration_clip.py`, transformers 5.18. */
const fields: FieldTable<ClipVisionFields> = {
  hiddenSize: count('hidden_size', 768, MAX_WIDTH),
  intermediateSize: count('intermediate_size', 3072, MAX_WIDTH),
  projectionDim: count('projection_dim', 512, MAX_WIDTH),
  numHiddenLayers: count('num_hidden_layers', 12, MAX_LAYERS),
  numAttentionHeads: count('num_attention_heads', 12, MAX_HEADS),
  numChannels: count('num_channels', 3, MAX_CHANNELS),
  imageSize: count('image_size', 224, MAX_IMAGE_SIZE),
  patchSize: count('patch_size', 32, MAX_IMAGE_SIZE),
  hiddenAct: activation('hidden_act', 'quick_gelu'),
  layerNormEps: epsilon('layer_norm_eps', 1e-5),
  attentionDropout: probability('attention_dropout', 0),
  initializerRange: deviation('initializer_range', 0.02),
  initializerFactor: deviation('initializer_factor', 1),
  outputHiddenStates: flag('output_hidden_states', false),
  outputAttentions: flag('output_attentions', false),
};

/** `model_type` of a full CLIP model, text encoder included. */
const FULL_MODEL_TYPES: readonly string[] = ['clip'];

export const ClipVisionConfig: ConfigFormat<ClipVisionConfig> = defineConfig<ClipVisionConfig, ClipVisionFields>({
  modelType: 'clip_vision_model',
  key: 'vision_config',
  fullModelTypes: FULL_MODEL_TYPES,
  fields,
  derive: (stored) => stored,
  check: requirePatches,
});

export const clipVisionFamily: VisionConfigFamily<ClipVisionConfig> = {
  format: ClipVisionConfig,
  fullModelTypes: FULL_MODEL_TYPES,
};
