import { findFamily, readConfig, VisionConfig } from '@blip2/config';
import { type LoadPartOptions, partSource } from '@blip2/part';

import { blip2VisionFamily } from './blip2/blip2-vision-model.ts';
import { clipVisionFamily } from './clip/clip-vision-encoder.ts';
import { dinov2VisionFamily } from './dinov2/dinov2-vision-encoder.ts';
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
]);

/**
 * The family of vision encoders of a `model_type`.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the registered types.
 */
export function visionFamily(modelType: string): VisionFamily {
  return findFamily(FAMILIES, modelType);
}

/** Loads the vision encoder of a folder, or of a repository on the Hugging Face Hub, of any family. */
export async function loadVisionEncoder(
  source: string,
  options: LoadPartOptions = {},
): Promise<CheckpointVisionEncoder> {
  const { folder, adapters } = await partSource(source, options);
  const { modelType } = VisionConfig.fromJson(await readConfig(folder), folder);
  return visionFamily(modelType).part.fromPretrained(folder, { ...options, adapters });
}
