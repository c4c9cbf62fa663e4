import type { ResolveOptions } from '@blip2/hub';
import { defined } from '@blip2/interfaces';
import { partFolder, partSource } from '@blip2/part';

import type { ModelSources } from './sources.ts';

/** An adapter that was passed as the source of a model or of some of its parts. */
export interface SourceAdapter {
  /** The source as it was passed. */
  readonly source: string;
  readonly folder: string;
  /** Paths in a checkpoint of the parts that it is the source of. Undefined: all. */
  readonly paths: readonly string[] | undefined;
}

/** Sources as folders that hold models, and the adapters that some of them were. */
export interface ModelsAndAdapters<Sources extends string | ModelSources> {
  readonly sources: Sources;
  readonly adapters: readonly SourceAdapter[];
}

/** Paths of the parts that a source may be given for, and those that always are the Q-Former's. */
const VISION = 'vision_model';
const LANGUAGE = 'language_model';
const BRIDGE: readonly string[] = [
  'qformer',
  'query_tokens',
  'embeddings',
  'language_projection',
  'vision_projection',
  'text_projection',
  'itm_head',
];

/**
 * Resolves sources to local folders, those that hold only an adapter to the folders of their bases.
 * @throws Blip2Error the codes of `partSource`.
 */
export async function withoutAdapters(source: string, options: ResolveOptions): Promise<ModelsAndAdapters<string>>;
export async function withoutAdapters(
  source: string | ModelSources,
  options: ResolveOptions,
): Promise<ModelsAndAdapters<string | ModelSources>>;
export async function withoutAdapters(
  source: string | ModelSources,
  options: ResolveOptions,
): Promise<ModelsAndAdapters<string | ModelSources>> {
  if (typeof source === 'string') {
    const { folder, adapters } = await partSource(source, options);
    return { sources: folder, adapters: adapters.map((adapter) => ({ source, folder: adapter, paths: undefined })) };
  }
  const { qformer, vision, language, processor } = source;
  const adapters = new Map<string, SourceAdapter>();
  const base = async (part: string | undefined, paths: readonly string[]): Promise<string | undefined> => {
    if (part === undefined) return undefined;
    const found = await partSource(part, options);
    for (const folder of found.adapters)
      adapters.set(folder, { source: part, folder, paths: [...(adapters.get(folder)?.paths ?? []), ...paths] });
    return found.folder;
  };
  const rest = [...BRIDGE, ...(vision === undefined ? [VISION] : []), ...(language === undefined ? [LANGUAGE] : [])];
  const sources = {
    qformer: (await base(qformer, rest)) ?? qformer,
    ...defined({
      vision: await base(vision, [VISION]),
      language: await base(language, [LANGUAGE]),
      processor: processor === undefined ? undefined : await partFolder(processor, options),
    }),
  };
  return { sources, adapters: [...adapters.values()] };
}
