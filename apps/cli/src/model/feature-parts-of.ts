import { type FeatureParts, featureParts, readFeatureKind } from '@blip2/blip2';
import { outlineModel } from '@blip2/checkpoint';
import { hubModel, resolveSource } from '@blip2/hub';
import { Blip2Error, defined } from '@blip2/interfaces';

import type { FeaturePartsOf } from './model-port.ts';
import type { ModelSource } from './model-source.ts';

/**
 * The parts of a checkpoint with features, by its configuration. Of a hub id that is not in the cache, the outline is
 * downloaded, without weights. Undefined if that fails: loading reports the reason.
 */
export const featurePartsOf: FeaturePartsOf = async (source, settings) => {
  try {
    return await partsOf(source, settings);
  } catch (error) {
    settings.signal.throwIfAborted();
    if (error instanceof Blip2Error) return undefined;
    throw error;
  }
};

async function partsOf(given: ModelSource, settings: Parameters<FeaturePartsOf>[1]): Promise<FeatureParts> {
  // The Q-Former's source has the configuration.
  const source = typeof given === 'string' ? given : given.qformer;
  const { localFilesOnly } = settings;
  try {
    return featureParts(await readFeatureKind(await resolveSource(source, { ...settings, localFilesOnly: true })));
  } catch (error) {
    if (localFilesOnly || !(error instanceof Blip2Error) || error.code !== 'OFFLINE') throw error;
  }
  const { id, revision } = (await hubModel(source, settings.revision)) ?? { id: source };
  await using outline = await outlineModel(id, { ...settings, ...defined({ revision }) });
  return featureParts(await readFeatureKind(outline.folder));
}
