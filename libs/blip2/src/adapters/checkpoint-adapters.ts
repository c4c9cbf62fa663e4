import type { ResolveOptions } from '@blip2/hub';
import { type Adapter, partFolder, readAdapter } from '@blip2/part';

import type { ModelConfig } from '../checkpoint/model-config.ts';
import type { ModelFolders } from '../checkpoint/model-sources.ts';
import type { SourceAdapter } from '../checkpoint/source-adapters.ts';
import { openWholeWeights } from '../checkpoint/whole-weights.ts';
import { type AdapterSelection, type ModelAdapters, namedAdapters, selectedNames } from './named-adapters.ts';
import { adaptWhole } from './whole-adapters.ts';

/** Adapters in local folders, by name. */
export interface AdapterFolders {
  readonly folders: ReadonlyMap<string, string>;
  readonly active: readonly string[];
  /** Paths of the parts that an adapter applies to, if not to all. */
  readonly paths: ReadonlyMap<string, readonly string[]>;
}

/** The adapters that a checkpoint was opened with. */
export interface CheckpointAdapters {
  /** Names of all adapters. */
  readonly names: readonly string[];
  /** Names of those that are applied. */
  active(): readonly string[];
  /**
   * Checks a selection.
   * @throws Blip2Error `INVALID_ARGUMENT` for unknown names, or for adapters that replace the same tensor.
   */
  select(selection: AdapterSelection): readonly string[];
  /** Applies a selection that was checked. */
  activate(names: readonly string[]): void;
  /** The folders of all active adapters. */
  allFolders(): readonly string[];
  /** The folders of adapters that change one of these parts, by the paths of the parts in a checkpoint. */
  foldersFor(paths: readonly string[], names?: readonly string[]): readonly string[];
}

/**
 * Resolves the adapters of a model to local folders. Those in `own` were passed as sources, which are their names.
 * @throws Blip2Error the codes of `partFolder`; `INVALID_ARGUMENT`.
 */
export async function adapterFolders(
  adapters: ModelAdapters | undefined,
  { revision: _, ...options }: ResolveOptions,
  own: readonly SourceAdapter[] = [],
): Promise<AdapterFolders> {
  const { sources, active } = namedAdapters(adapters);
  const folders = new Map(own.map(({ source, folder }) => [source, folder]));
  // The revision is that of the model.
  for (const [name, source] of sources) folders.set(name, await partFolder(source, options));
  const paths = new Map(own.flatMap(({ source, paths }) => (paths ? [[source, paths] as const] : [])));
  if (own.length === 0) return { folders, active, paths };
  // Of adapters by name, none is added to those of the sources.
  const isNamed = typeof adapters === 'object' && !Array.isArray(adapters);
  return { folders, active: [...own.map(({ source }) => source), ...(isNamed ? [] : active)], paths };
}

/**
 * Reads the adapters of a checkpoint and checks that its weights fit them. `undefined` if there are none.
 * @throws Blip2Error the codes of `readAdapter` and `adaptWhole`.
 */
export async function openCheckpointAdapters(
  { folders: adapterFolders, active: first, paths: limits }: AdapterFolders,
  folders: ModelFolders,
  config: ModelConfig,
): Promise<CheckpointAdapters | undefined> {
  if (adapterFolders.size === 0) return undefined;
  await using weights = await openWholeWeights(folders);
  const { tensors } = weights;
  const adapters = new Map<string, Adapter>();
  const paths = new Map<string, ReadonlySet<string>>();
  for (const [name, folder] of adapterFolders) {
    const adapter = await readAdapter(folder);
    adapters.set(name, adapter);
    const changed = adaptWhole(tensors, folders.qformer, config, [adapter]).paths;
    const limit = limits.get(name);
    paths.set(name, limit ? new Set(limit.filter((path) => changed.has(path))) : changed);
  }
  const names = [...adapters.keys()];
  const select = (selection: AdapterSelection): readonly string[] => {
    const selected = selectedNames(selection, names);
    adaptWhole(
      tensors,
      folders.qformer,
      config,
      selected.flatMap((name) => adapters.get(name) ?? []),
    );
    return selected;
  };
  let active = select(first);
  return {
    names,
    active: () => active,
    select,
    activate: (selected) => void (active = selected),
    allFolders: () => active.flatMap((name) => adapters.get(name)?.folder ?? []),
    foldersFor: (parts, selected = active) =>
      selected.flatMap((name) =>
        parts.some((part) => paths.get(name)?.has(part)) ? (adapters.get(name)?.folder ?? []) : [],
      ),
  };
}
