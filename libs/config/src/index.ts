export { Blip2Config } from './blip2-config.ts';
export type { ModelConfigParts } from './define-model-config.ts';
export { GenerationConfig } from './generation-config.ts';
export { InstructBlipConfig } from './instructblip-config.ts';
export { Blip2QFormerConfig, type PositionEmbeddingType } from './qformer-config.ts';
export { readConfig } from './read-config.ts';
export { type Activation, activations } from './schema/activation.ts';
export type { ConfigFormat, PartConfig } from './schema/define-config.ts';
export {
  createFamilyRegistry,
  expectMembers,
  type FamilyRegistry,
  type FamilyRegistryOptions,
} from './schema/family-registry.ts';
export type { ToJsonOptions } from './schema/field-table.ts';
export { Gemma3TextConfig } from './text/gemma3-text-config.ts';
export { Gpt2Config } from './text/gpt2-config.ts';
export { LlamaConfig } from './text/llama-config.ts';
export { MistralConfig } from './text/mistral-config.ts';
export { OptConfig } from './text/opt-config.ts';
export { Phi3Config } from './text/phi3-config.ts';
export { Qwen2Config } from './text/qwen2-config.ts';
export { Qwen3Config } from './text/qwen3-config.ts';
export type { RotaryDecoderConfig, RotaryDecoderFields } from './text/rotary-decoder-config.ts';
export type { RotaryScaling } from './text/rotary-scaling.ts';
export { Mt5Config } from './text/seq2seq/mt5-config.ts';
export {
  defineSeq2SeqConfig,
  type Seq2SeqConfig,
  type Seq2SeqDefaults,
  type Seq2SeqDefinition,
} from './text/seq2seq/seq2seq-config.ts';
export { T5Config } from './text/seq2seq/t5-config.ts';
export { Umt5Config } from './text/seq2seq/umt5-config.ts';
export type { LayerType, WindowedLayers } from './text/sliding-window.ts';
export { TextConfig } from './text/text-config.ts';
export type { TextConfigMembers } from './text/text-config-members.ts';
export { licenceNote, registerTextFamily, textFamily, textModelTypes } from './text/text-families.ts';
export type { LicenceNote, TextFamily, TextSizes } from './text/text-family.ts';
export { Blip2VisionConfig } from './vision/blip2-vision-config.ts';
export { ClipVisionConfig } from './vision/clip-vision-config.ts';
export { Dinov2Config } from './vision/dinov2-config.ts';
export { type EvaPooling, EvaVisionConfig } from './vision/eva/eva-vision-config.ts';
export { SiglipVisionConfig } from './vision/siglip-vision-config.ts';
export { registerVisionConfigFamily, VisionConfig, visionConfigFamily } from './vision/vision-families.ts';
export type { VisionConfigFamily, VisionConfigMembers } from './vision/vision-family.ts';
export { VitConfig } from './vision/vit-config.ts';
export { formatConfig, writeConfig, writePartConfig } from './write-config.ts';
