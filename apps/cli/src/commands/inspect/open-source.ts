import { adapterBase, isAdapterOnly } from '@blip2/blip2';
import { outlineModel } from '@blip2/checkpoint';
import { isFolder } from '@blip2/files';
import { hubModel, type ResolveOptions, resolveSource } from '@blip2/hub';
import { Blip2Error, defined } from '@blip2/interfaces';

import { mapSource, type ModelSource } from '../../model/model-source.ts';
import { withDisposableStack } from '../../module/disposable-stack.ts';
import type { DownloadReport } from './checkpoint-report.ts';

/** Folders to inspect, and the size of the download if some only hold the outline of a hub model. */
export interface OpenedSource extends AsyncDisposable {
  readonly folders: ModelSource;
  /** Folders of adapters, of sources that are one. */
  readonly adapters: readonly string[];
  readonly download?: DownloadReport;
}

/**
 * Opens the sources of a model. See `openOne`.
 * @throws Blip2Error as `resolveSource` and `outlineModel`.
 */
export async function openSource(source: ModelSource, options: ResolveOptions): Promise<OpenedSource> {
  return withDisposableStack(async ({ use, disposeAsync }) => {
    const opened = new Map<string, OpenedFolder>();
    const folders = await mapSource(source, async (each) => {
      const folder = opened.get(each) ?? use(await openOne(each, options));
      opened.set(each, folder);
      return folder.folder;
    });
    const downloads = [...opened.values()].flatMap(({ download }) => download ?? []);
    const adapters = [...opened.values()].flatMap((each) => each.adapters);
    return { folders, adapters, ...defined({ download: sumOf(downloads) }), [Symbol.asyncDispose]: disposeAsync };
  });
}

function sumOf([first, ...rest]: readonly DownloadReport[]): DownloadReport | undefined {
  if (!first || rest.length === 0) return first;
  const sum = (key: 'totalBytes' | 'missingBytes'): number =>
    [first, ...rest].reduce((total, report) => total + report[key], 0);
  return { totalBytes: sum('totalBytes'), missingBytes: sum('missingBytes') };
}

interface OpenedFolder extends AsyncDisposable {
  readonly folder: string;
  readonly download?: DownloadReport;
  /** Folder of the adapter, if the source is one: `folder` is that of its base. */
  readonly adapters: readonly string[];
}

/**
 * Opens a folder or a model in the cache. For any other hub id, downloads the outline: configuration and headers,
 * without weights.
 * @throws Blip2Error as `resolveSource` and `outlineModel`.
 */
async function openOne(source: string, options: ResolveOptions): Promise<OpenedFolder> {
  let offline: Blip2Error;
  try {
    const folder = await resolveSource(source, { ...options, localFilesOnly: true });
    if (isAdapterOnly(folder)) return await openBase(folder, source, options);
    return { folder, adapters: [], async [Symbol.asyncDispose]() {} };
  } catch (error) {
    if (!(error instanceof Blip2Error) || error.code !== 'OFFLINE' || options.localFilesOnly === true) throw error;
    offline = error;
  }
  const { id, revision } = (await hubModel(source, options.revision)) ?? { id: source };
  const outline = await outlineModel(id, { ...options, ...defined({ revision }) }).catch((error: unknown) => {
    // HF_HUB_OFFLINE: the first error says more about the cache.
    throw error instanceof Blip2Error && error.code === 'OFFLINE' ? offline : error;
  });
  const { totalBytes, missingBytes, licence } = outline.plan;
  return {
    folder: outline.folder,
    adapters: [],
    download: { totalBytes, missingBytes, ...defined({ licence }) },
    [Symbol.asyncDispose]: () => outline[Symbol.asyncDispose](),
  };
}

/** Opens the base of an adapter. */
async function openBase(folder: string, source: string, options: ResolveOptions): Promise<OpenedFolder> {
  const { source: base, revision } = await adapterBase(folder, await isFolder(source));
  const { revision: _, ...others } = options;
  const opened = await openOne(base, { ...others, ...defined({ revision }) });
  return {
    ...opened,
    adapters: [folder],
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
