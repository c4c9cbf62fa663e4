import {
  createFamilyRegistry,
  type FamilyRegistry,
  readConfig,
  registerVisionConfigFamily,
  VisionConfig,
  type VisionConfigFamily,
} from '@blip2/config';
import type { PlannedWeight, PrecisionChoice } from '@blip2/interfaces';
import type { RecordedWeight } from '@blip2/onnx';
import {
  type InitializeTensor,
  type PartFamilyDefinition,
  partSource,
  type PartWeights,
  pathStart,
  registerPartFamily,
} from '@blip2/part';

import { blip2VisionFamily, type LoadVisionOptions } from './blip2/blip2-vision-model.ts';
import { clipVisionFamily } from './clip/clip-vision-encoder.ts';
import { dinov2VisionFamily } from './dinov2/dinov2-vision-encoder.ts';
import { evaVisionFamily } from './eva/eva-vision-encoder.ts';
import type { FeatureLayerOptions } from './feature-layer.ts';
import { siglipVisionFamily } from './siglip/siglip-vision-encoder.ts';
import type { CheckpointVisionEncoder, VisionFamily } from './vision-family.ts';
import { vitFamily } from './vit/vit-encoder.ts';

/** By `model_type`. */
const FAMILIES: ReadonlyMap<string, VisionFamily> = new Map<string, VisionFamily>([
  ['blip_2_vision_model', blip2VisionFamily],
  ['instructblip_vision_model', blip2VisionFamily],
  ['clip_vision_model', clipVisionFamily],
  ['siglip_vision_model', siglipVisionFamily],
  ['dinov2', dinov2VisionFamily],
  ['vit', vitFamily],
  ['eva', evaVisionFamily],
]);

const registry: FamilyRegistry<VisionFamily> = createFamilyRegistry({
  name: 'vision',
  builtIn: FAMILIES,
  registeredBy: 'registerVisionFamily of @blip2/vision',
  isSame: (one, other) => one.part === other.part,
});

/** A family of vision encoders to add at run time. */
export type VisionFamilyDefinition<C extends VisionConfig> = PartFamilyDefinition<
  C['modelType'],
  VisionConfigFamily<C>,
  VisionFamily<C>
>;

/**
 * Adds a family of vision encoders, for everything that looks models up by `model_type`. Adding the same one again has
 * no effect.
 * @throws Blip2Error `INVALID_ARGUMENT` if the type belongs to another family, or a member has the wrong type.
 */
export function registerVisionFamily<C extends VisionConfig>(definition: VisionFamilyDefinition<C>): void {
  registerPartFamily<VisionConfigFamily, VisionFamily>(definition, {
    registry,
    registerConfig: registerVisionConfigFamily,
  });
}

/**
 * The family of vision encoders of a `model_type`.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the registered types.
 */
export function visionFamily(modelType: string): VisionFamily {
  return registry.find(modelType);
}

/**
 * Loads the vision encoder of a folder, or of a repository on the Hugging Face Hub, of any family. `encode` returns
 * HF's `last_hidden_state`, or the hidden states of `featureLayer`.
 */
export async function loadVisionEncoder(
  source: string,
  options: LoadVisionOptions & FeatureLayerOptions = {},
): Promise<CheckpointVisionEncoder> {
  const { folder, adapters } = await partSource(source, options);
  const { modelType } = VisionConfig.fromJson(await readConfig(folder), folder);
  return visionFamily(modelType).part.fromPretrained(folder, { ...options, adapters });
}

/** Every tensor of a vision encoder's checkpoint, by name and shape. */
export function visionTensors(config: VisionConfig, prefix: string): readonly RecordedWeight[] {
  const { part, optionalTensors = [] } = visionFamily(config.modelType);
  const optional = optionalTensors.map((name) => `${pathStart(prefix)}${name}`);
  return part
    .tensors(config, prefix)
    .map((tensor) =>
      optional.some((start) => tensor.name.startsWith(start)) ? { ...tensor, optional: true } : tensor,
    );
}

/** How the weights of a vision encoder are initialized: `_init_weights` of HF. */
export function visionInitializer(config: VisionConfig): InitializeTensor {
  return visionFamily(config.modelType).part.initializer(config);
}

/** What the encoder's file of converted weights holds at a precision; undefined if the checkpoint is used as stored. */
export function planVision(
  config: VisionConfig,
  weights: Pick<PartWeights, 'store' | 'prefix'>,
  dtype?: PrecisionChoice,
): PlannedWeight[] | undefined {
  return visionFamily(config.modelType).part.plan(config, weights, dtype).prefill;
}
