import { createHash } from 'node:crypto';

import { readChunks } from '@blip2/checkpoint';
import { readConfig, VisionConfig } from '@blip2/config';
import { mustBe, type StoredTensor } from '@blip2/interfaces';
import { openPartWeights, overlayPartWeights, type PartWeights } from '@blip2/part';
import { readImageSettings } from '@blip2/processor';
import { visionFamily } from '@blip2/vision';

import { resolveModel } from '../adapters/resolved-model.ts';
import type { ModelFolders, ModelSources } from '../checkpoint/model-sources.ts';
import { type LoadOptions, partOptions } from '../parts/load-options.ts';

const VISION = 'vision_model';

/**
 * Digest of a vision encoder and of all that its features depend on besides the image: weights, configuration, image
 * settings and precision. Equal for the same encoder in another folder. It reads all weights of the encoder.
 * @throws Blip2Error as `openCheckpointParts`; `INVALID_ARGUMENT` with adapters.
 */
export async function encoderKey(source: string | ModelSources, options: LoadOptions = {}): Promise<string> {
  const { dtype = 'fp32' } = partOptions(options)('vision');
  const { folders, adapters } = await resolveModel(source, options);
  if (adapters.folders.size > 0) throw mustBe('adapters', 'omitted for features that are kept', [...adapters.folders]);
  const config = VisionConfig.fromJson(await readConfig(folders.vision), folders.vision);
  const images = (await readImageSettings(folders.images))?.json;
  const hash = createHash('sha256').update(JSON.stringify([config.json, images, dtype]));
  await using weights = await openEncoder(folders, visionFamily(config.modelType).part.paths);
  for (const [name, tensor] of namedTensors(weights)) {
    hash.update(JSON.stringify([name, tensor.dtype, tensor.shape]));
    for await (const chunk of readChunks(tensor, { signal: options.signal })) hash.update(chunk);
  }
  return hash.digest('hex');
}

async function openEncoder({ vision, finalNorm }: ModelFolders, paths: readonly string[]): Promise<PartWeights> {
  const own = await openPartWeights(vision, ...paths, VISION);
  if (finalNorm === undefined) return own;
  return overlayPartWeights(own, await openPartWeights(finalNorm, VISION), (name) =>
    name.startsWith('post_layernorm.'),
  );
}

/** The tensors of the encoder by their names within it, in the order of these names. */
function namedTensors({ store, prefix }: PartWeights): [string, StoredTensor][] {
  const start = prefix === '' ? '' : `${prefix}.`;
  return [...store.tensors.values()]
    .filter(({ name }) => name.startsWith(start))
    .map((tensor): [string, StoredTensor] => [tensor.name.slice(start.length), tensor])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}
