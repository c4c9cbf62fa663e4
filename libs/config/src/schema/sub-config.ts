import { unsupportedModelType } from './config-rules.ts';
import { expectObject, type JsonObject, ownValue, show } from './json-values.ts';

export const BLIP2_MODEL_TYPE = 'blip-2';
export const INSTRUCTBLIP_MODEL_TYPE = 'instructblip';
/** Whole models that are made of a vision encoder, a Q-Former and a language model. */
const BLIP2_MODEL_TYPES: readonly string[] = [BLIP2_MODEL_TYPE, INSTRUCTBLIP_MODEL_TYPE];
type PartKey = 'vision_config' | 'qformer_config' | 'text_config';
const PART_KEYS: readonly PartKey[] = ['vision_config', 'qformer_config', 'text_config'];

/** Whether `json` is the configuration of a whole model and not that of one part. */
export function isWhole(json: JsonObject, wholeModelTypes: readonly string[] = BLIP2_MODEL_TYPES): boolean {
  const type = ownValue(json, 'model_type');
  return (
    (typeof type === 'string' && wholeModelTypes.includes(type)) || PART_KEYS.some((key) => Object.hasOwn(json, key))
  );
}

/**
 * The part `key` of a whole configuration (an absent or null one has the defaults), or `json` itself if it is that
 * part.
 */
export function partOf(
  json: JsonObject,
  key: PartKey,
  where: string,
  wholeModelTypes: readonly string[] = BLIP2_MODEL_TYPES,
): { json: JsonObject; where: string } {
  if (!isWhole(json, wholeModelTypes)) return { json, where };
  requireModelType(json, wholeModelTypes, where);
  return { json: expectObject(ownValue(json, key) ?? Object.freeze({}), `${where}.${key}`), where: `${where}.${key}` };
}

/** Refuses a configuration that says it is of another family. One that says nothing is taken at its word. */
export function requireModelType(json: JsonObject, supported: readonly string[], where: string): void {
  const found = ownValue(json, 'model_type');
  if (found === undefined || (typeof found === 'string' && supported.includes(found))) return;
  throw unsupportedModelType(found, supported, `${where}.model_type`);
}

/**
 * The type that a part says it has; if it says none, that of the family of the whole in which it was found, BLIP-2's by
 * default.
 */
export function familyType<T extends string>(
  part: JsonObject,
  whole: JsonObject,
  blip2Type: T,
  instructBlipType: T,
): T {
  const type =
    ownValue(part, 'model_type') ??
    (ownValue(whole, 'model_type') === INSTRUCTBLIP_MODEL_TYPE ? instructBlipType : blip2Type);
  return type === instructBlipType ? instructBlipType : blip2Type;
}
