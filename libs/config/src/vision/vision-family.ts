import type { Activation } from '../schema/activation.ts';
import type { ConfigFormat, PartConfig } from '../schema/define-config.ts';

/** What the configurations of all vision encoders have in common. */
export interface VisionConfigMembers extends PartConfig {
  readonly hiddenSize: number;
  /** Height and width of an image, in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, in pixels. */
  readonly patchSize: number;
  /** Layers, as `hiddenStates` of `forward` has them. */
  readonly numHiddenLayers: number;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/** Fields that the configurations of vision transformers store. */
export interface VisionTransformerFields extends Omit<VisionConfigMembers, keyof PartConfig> {
  readonly intermediateSize: number;
  readonly numAttentionHeads: number;
  readonly hiddenAct: Activation;
  readonly layerNormEps: number;
  readonly attentionDropout: number;
  readonly initializerRange: number;
}

/** What a family of vision encoders declares about its configuration. */
export interface VisionConfigFamily<C extends VisionConfigMembers = VisionConfigMembers> {
  readonly format: ConfigFormat<C>;
  /** `model_type` of full models whose `vision_config` is of this family unless it has another `model_type`. */
  readonly fullModelTypes: readonly string[];
}
