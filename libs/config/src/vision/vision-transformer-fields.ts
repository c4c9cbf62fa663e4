import type { Activation } from '../schema/activation.ts';
import type { FieldTable } from '../schema/field-table.ts';
import { activation, count, epsilon, flag, probability } from '../schema/field-types.ts';
import { MAX_CHANNELS, MAX_HEADS, MAX_IMAGE_SIZE, MAX_LAYERS, MAX_WIDTH } from '../schema/limits.ts';
import type { VisionTransformerFields } from './vision-family.ts';

/** Fields that the configurations of SigLIP, DINOv2 and ViT store. */
export interface SharedVisionFields extends Omit<VisionTransformerFields, 'intermediateSize' | 'initializerRange'> {
  readonly numChannels: number;
}

/** The defaults and keys in which families differ. */
export interface SharedVisionDefaults {
  readonly patchSize: number;
  readonly activation: Activation;
  readonly epsilon: number;
  /** Key of the dropout of attention. */
  readonly dropoutKey: string;
}

/** The fields of the smallest published size of a family, which is a ViT-B in all of them. */
export function sharedVisionFields(defaults: SharedVisionDefaults): FieldTable<SharedVisionFields> {
  return {
    hiddenSize: count('hidden_size', 768, MAX_WIDTH),
    numHiddenLayers: count('num_hidden_layers', 12, MAX_LAYERS),
    numAttentionHeads: count('num_attention_heads', 12, MAX_HEADS),
    numChannels: count('num_channels', 3, MAX_CHANNELS),
    imageSize: count('image_size', 224, MAX_IMAGE_SIZE),
    patchSize: count('patch_size', defaults.patchSize, MAX_IMAGE_SIZE),
    hiddenAct: activation('hidden_act', defaults.activation),
    layerNormEps: epsilon('layer_norm_eps', defaults.epsilon),
    attentionDropout: probability(defaults.dropoutKey, 0),
    outputHiddenStates: flag('output_hidden_states', false),
    outputAttentions: flag('output_attentions', false),
  };
}
