import { readConfig } from '@blip2/config';

import { isJsonObject } from './json-shape.ts';

/**
 * The `model_type` of a checkpoint: `blip-2`, `instructblip`, `opt`, … Undefined for a missing or unreadable
 * `config.json`; loading the model then reports the problem.
 */
export async function readModelType(checkpoint: string | undefined): Promise<string | undefined> {
  if (checkpoint === undefined) return undefined;
  const config = await readConfig(checkpoint).catch(() => undefined);
  const modelType = isJsonObject(config) ? config['model_type'] : undefined;
  return typeof modelType === 'string' ? modelType : undefined;
}
