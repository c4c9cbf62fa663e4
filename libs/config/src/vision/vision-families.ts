import { findFamily } from '../schema/find-family.ts';
import { expectObject, frozenObject, ownValue } from '../schema/json-values.ts';
import { blip2VisionFamily } from './blip2-vision-config.ts';
import { clipVisionFamily } from './clip-vision-config.ts';
import { dinov2VisionFamily } from './dinov2-config.ts';
import { evaVisionFamily } from './eva/eva-vision-config.ts';
import { timmModelType } from './eva/timm-model.ts';
import { siglipVisionFamily } from './siglip-vision-config.ts';
import type { VisionConfigFamily, VisionConfigMembers } from './vision-family.ts';
import { vitFamily } from './vit-config.ts';

/** By `model_type`. The first family is that of a configuration without one. */
const FAMILIES: ReadonlyMap<string, VisionConfigFamily> = new Map<string, VisionConfigFamily>([
  ['blip_2_vision_model', blip2VisionFamily],
  ['instructblip_vision_model', blip2VisionFamily],
  ['clip_vision_model', clipVisionFamily],
  ['siglip_vision_model', siglipVisionFamily],
  ['dinov2', dinov2VisionFamily],
  ['vit', vitFamily],
  ['eva', evaVisionFamily],
]);

/**
 * How configurations of one family of vision encoders are read.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the registered types.
 */
export function visionConfigFamily(modelType: unknown, where?: string): VisionConfigFamily {
  return findFamily(FAMILIES, modelType, where);
}

/** The configuration of a vision encoder of any family. `modelType` selects the family. */
export type VisionConfig = VisionConfigMembers;

function fromJson(json: unknown, where = 'config.json'): VisionConfig {
  const given = frozenObject(json, where);
  return familyOf(given, where).format.fromJson(given, where);
}

/** The family of the encoder itself, or of the full model that contains it. */
function familyOf(json: Readonly<Record<string, unknown>>, where: string): VisionConfigFamily {
  const part = expectObject(ownValue(json, 'vision_config') ?? {}, `${where}.vision_config`);
  const type = ownValue(part, 'model_type') ?? ownValue(json, 'model_type') ?? timmModelType(json, where);
  const container = [...FAMILIES.values()].find(({ fullModelTypes }) => fullModelTypes.some((full) => full === type));
  return container ?? visionConfigFamily(type ?? [...FAMILIES.keys()][0], `${where}.model_type`);
}

export const VisionConfig: {
  /**
   * Reads the configuration of a vision encoder by its `model_type`, or the `vision_config` of a full model.
   * @throws Blip2Error `INVALID_CONFIG` or `UNSUPPORTED_ARCHITECTURE`.
   */
  readonly fromJson: typeof fromJson;
} = { fromJson };
