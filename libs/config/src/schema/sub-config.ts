import { unsupportedModelType } from './config-rules.ts';
import { expectObject, type JsonObject, ownValue } from './json-values.ts';

export const BLIP2_MODEL_TYPE = 'blip-2';
export const INSTRUCTBLIP_MODEL_TYPE = 'instructblip';
/** Full models of a vision encoder, a Q-Former and a language model. */
const BLIP2_MODEL_TYPES: readonly string[] = [BLIP2_MODEL_TYPE, INSTRUCTBLIP_MODEL_TYPE];
/** Keys of the parts of a full model. */
export type PartKey = 'vision_config' | 'qformer_config' | 'text_config';
const PART_KEYS: readonly PartKey[] = ['vision_config', 'qformer_config', 'text_config'];

/** Whether `json` is the configuration of a full model and not that of one part. */
export function isFullModel(json: JsonObject, fullModelTypes: readonly string[] = BLIP2_MODEL_TYPES): boolean {
  const type = ownValue(json, 'model_type');
  return (
    (typeof type === 'string' && fullModelTypes.includes(type)) || PART_KEYS.some((key) => Object.hasOwn(json, key))
  );
}

/**
 * The part `key`, of one of `ownTypes`, of the configuration of a full model (an absent or null part has the
 * defaults), or `json` itself if it is the configuration of that part.
 */
export function subConfig(
  json: JsonObject,
  key: PartKey,
  where: string,
  fullModelTypes: readonly string[] = BLIP2_MODEL_TYPES,
  ownTypes: readonly string[] = [],
): { json: JsonObject; where: string } {
  if (!isFullModel(json, fullModelTypes)) return { json, where };
  const part = expectObject(ownValue(json, key) ?? Object.freeze({}), `${where}.${key}`);
  // Any family may be a part of a BLIP-2 model, by its own name only.
  const isNamed = includes(ownTypes, ownValue(part, 'model_type'));
  if (!isNamed || !includes(BLIP2_MODEL_TYPES, ownValue(json, 'model_type')))
    requireModelType(json, fullModelTypes, where);
  return { json: part, where: `${where}.${key}` };
}

function includes(types: readonly string[], type: unknown): boolean {
  return types.some((each) => each === type);
}

/** @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` if `model_type` is present and not one of `supported`. */
export function requireModelType(json: JsonObject, supported: readonly string[], where: string): void {
  const found = ownValue(json, 'model_type');
  if (found === undefined || (typeof found === 'string' && supported.includes(found))) return;
  throw unsupportedModelType(found, supported, `${where}.model_type`);
}
