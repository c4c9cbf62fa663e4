import type { PartSource } from '@blip2/part';

import { type ModelFolders, type ModelSources, resolveSources } from '../checkpoint/model-sources.ts';
import { withoutAdapters } from '../checkpoint/source-adapters.ts';
import { expectSources } from '../checkpoint/sources.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { type AdapterFolders, adapterFolders } from './checkpoint-adapters.ts';

/** The folders of a model and of its adapters. */
export interface ResolvedModel {
  readonly folders: ModelFolders;
  readonly adapters: AdapterFolders;
}

/**
 * Resolves one source for everything, or one per part, and the adapters of the options to local folders. A source that
 * holds only an adapter stands for its base with this adapter.
 * @throws Blip2Error the codes of `resolveSources` and `adapterFolders`.
 */
export async function resolveModel(
  source: string | ModelSources,
  { adapters, ...options }: LoadOptions,
): Promise<ResolvedModel> {
  expectSources(source);
  const { sources, adapters: own } = await withoutAdapters(source, options);
  const folders = await resolveSources(sources, options);
  return { folders, adapters: await adapterFolders(adapters, options, own) };
}

/**
 * Resolves the source of a part that is a model of its own, and the adapters of the options that apply first.
 * @throws Blip2Error the codes of `partFolder` and `adapterFolders`.
 */
export async function resolvePart(source: string, { adapters, ...options }: LoadOptions): Promise<PartSource> {
  const { sources: folder, adapters: own } = await withoutAdapters(source, options);
  const { folders, active } = await adapterFolders(adapters, options, own);
  return { folder, adapters: active.flatMap((name) => folders.get(name) ?? []) };
}
