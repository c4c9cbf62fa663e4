import { join } from 'node:path';

import { Blip2Config, readConfig } from '@blip2/config';

import { singlePartOf } from '../checkpoint/single-part.ts';
import type { FeatureKind } from './feature-parts.ts';

/**
 * What the checkpoint in a folder contains, by its configuration.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `UNSUPPORTED_ARCHITECTURE`.
 */
export async function readFeatureKind(folder: string): Promise<FeatureKind> {
  const json = await readConfig(folder);
  const where = join(folder, 'config.json');
  const single = singlePartOf(json, where);
  if (single || json['model_type'] === 'instructblip') return single ?? 'instruct';
  const { qformerConfig } = Blip2Config.fromJson(json, where);
  return qformerConfig.useQformerTextInput ? 'retrieval' : 'generation';
}
