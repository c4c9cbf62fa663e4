import { createFamilyRegistry, expectFormat, expectMembers, type FamilyRegistry } from '../schema/family-registry.ts';
import type { ToJsonOptions } from '../schema/field-table.ts';
import { expectObject, frozenObject, type JsonObject, ownValue } from '../schema/json-values.ts';
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

const registry: FamilyRegistry<VisionConfigFamily> = createFamilyRegistry({
  name: 'vision-config',
  builtIn: FAMILIES,
  registeredBy: 'registerVisionFamily of @blip2/vision',
  isSame: (one, other) => one.format === other.format,
});

/**
 * Adds a family of vision encoders; `registerVisionFamily` of `@blip2/vision` does this, and adds its encoders.
 * @throws Blip2Error `INVALID_ARGUMENT` if the type belongs to another family, or a member has the wrong type.
 */
export function registerVisionConfigFamily<C extends VisionConfigMembers>(
  modelType: string,
  family: VisionConfigFamily<C>,
): void {
  expectMembers('config', family, { format: 'object', fullModelTypes: 'object' });
  expectFormat(family.format);
  registry.register(modelType, family);
}

/**
 * How configurations of one family of vision encoders are read.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the registered types.
 */
export function visionConfigFamily(modelType: unknown, where?: string): VisionConfigFamily {
  return registry.find(modelType, where);
}

/** The configuration of a vision encoder of any family. `modelType` selects the family. */
export type VisionConfig = VisionConfigMembers;

function fromJson(json: unknown, where = 'config.json'): VisionConfig {
  const given = frozenObject(json, where);
  return familyOf(given, where).format.fromJson(given, where);
}

function toJson(config: VisionConfig, options?: ToJsonOptions): Record<string, unknown> {
  return visionConfigFamily(config.modelType).format.toJson(config, options);
}

/** The family of the encoder itself, or of the full model that contains it. */
function familyOf(json: JsonObject, where: string): VisionConfigFamily {
  const part = expectObject(ownValue(json, 'vision_config') ?? {}, `${where}.vision_config`);
  const ownType = ownValue(part, 'model_type');
  const type = ownType ?? ownValue(json, 'model_type') ?? timmModelType(json, where);
  const container = registry.families().find(({ fullModelTypes }) => fullModelTypes.some((full) => full === type));
  return (
    container ??
    visionConfigFamily(
      type ?? registry.types()[0],
      ownType === undefined ? `${where}.model_type` : `${where}.vision_config.model_type`,
    )
  );
}

export const VisionConfig: {
  /**
   * Reads the configuration of a vision encoder by its `model_type`, or the `vision_config` of a full model.
   * @throws Blip2Error `INVALID_CONFIG` or `UNSUPPORTED_ARCHITECTURE`.
   */
  readonly fromJson: typeof fromJson;
  /** The JSON that was read, with changed fields written. Fields with default values stay absent unless `full`. */
  readonly toJson: typeof toJson;
} = { fromJson, toJson };
