import { join } from 'node:path';

import { Blip2Config, readConfig, textModelTypes, VisionConfig } from '@blip2/config';

import type { FeatureKind } from './feature-parts.ts';

/**
 * What the checkpoint in a folder contains, by its configuration.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `UNSUPPORTED_ARCHITECTURE`.
 */
export async function readFeatureKind(folder: string): Promise<FeatureKind> {
  const json = await readConfig(folder);
  const where = join(folder, 'config.json');
  const modelType = json['model_type'];
  if (modelType === 'instructblip') return 'instruct';
  if (typeof modelType === 'string' && textModelTypes().includes(modelType)) return 'language';
  if (modelType === 'blip-2' || json['qformer_config'] !== undefined) {
    const { qformerConfig } = Blip2Config.fromJson(json, where);
    return qformerConfig.useQformerTextInput ? 'retrieval' : 'generation';
  }
  VisionConfig.fromJson(json, where);
  return 'vision';
}
