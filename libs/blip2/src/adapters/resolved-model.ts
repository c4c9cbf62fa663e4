import { type ModelFolders, type ModelSources, resolveSources, sameFolder } from '../checkpoint/model-sources.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { type AdapterFolders, adapterFolders, resolveAdapters } from './checkpoint-adapters.ts';

/** The folders of a model and of its adapters. */
export interface ResolvedModel {
  readonly folders: ModelFolders;
  readonly adapters: AdapterFolders;
}

/**
 * Resolves one source for everything, or one per part, and the adapters of the options to local folders.
 * @throws Blip2Error the codes of `resolveSources` and `resolveAdapters`.
 */
export async function resolveModel(source: string | ModelSources, options: LoadOptions): Promise<ResolvedModel> {
  if (typeof source !== 'string')
    return {
      folders: await resolveSources(source, options),
      adapters: await adapterFolders(options.adapters, options),
    };
  const { folder, adapters } = await resolveAdapters(source, options);
  return { folders: sameFolder(folder), adapters };
}
