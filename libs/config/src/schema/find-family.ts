import { unsupportedModelType } from './config-rules.ts';

/**
 * The family of a `model_type` in a table of model families.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the registered types, if there is none.
 */
export function findFamily<F>(families: ReadonlyMap<string, F>, modelType: unknown, where: string = 'model_type'): F {
  const family = typeof modelType === 'string' ? families.get(modelType) : undefined;
  if (family !== undefined) return family;
  throw unsupportedModelType(modelType, [...families.keys()], where);
}
