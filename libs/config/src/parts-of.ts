import { unsupportedModelType } from './config-rules.ts';
import { expectObject, ownValue, show, type JsonObject } from './json.ts';

export const blip2ModelType = 'blip-2';
type PartKey = 'vision_config' | 'qformer_config' | 'text_config';
const partKeys: readonly PartKey[] = ['vision_config', 'qformer_config', 'text_config'];

/** Whether `json` is a whole BLIP-2 configuration and not that of one part. */
export function isWhole(json: JsonObject): boolean {
  return ownValue(json, 'model_type') === blip2ModelType || partKeys.some((key) => Object.hasOwn(json, key));
}

/** The part `key` of a whole configuration (an absent or null one has the defaults), or `json` itself if it is that part. */
export function partOf(json: JsonObject, key: PartKey, where: string): { json: JsonObject; where: string } {
  if (!isWhole(json)) return { json, where };
  requireModelType(json, [blip2ModelType], where);
  return { json: expectObject(ownValue(json, key) ?? Object.freeze({}), `${where}.${key}`), where: `${where}.${key}` };
}

/** Refuses a configuration that says it is of another family. One that says nothing is taken at its word. */
export function requireModelType(json: JsonObject, supported: readonly string[], where: string): void {
  const found = ownValue(json, 'model_type');
  if (found === undefined || (typeof found === 'string' && supported.includes(found))) return;
  throw unsupportedModelType(show(found), supported, `${where}.model_type`);
}
