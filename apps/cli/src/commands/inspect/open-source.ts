import { outlineModel } from '@blip2/checkpoint';
import { hubModel, type ResolveOptions, resolveSource } from '@blip2/hub';
import { Blip2Error, defined } from '@blip2/interfaces';

import { mapSource, type ModelSource } from '../../model/model-source.ts';
import { withDisposableStack } from '../../module/disposable-stack.ts';
import type { DownloadReport } from './checkpoint-report.ts';

/** Folders to inspect, and the size of the download if some only hold the outline of a hub model. */
export interface OpenedSource extends AsyncDisposable {
  readonly folders: ModelSource;
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
    return { folders, ...defined({ download: sumOf(downloads) }), [Symbol.asyncDispose]: disposeAsync };
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
}

/**
 * Opens a folder or a model in the cache. For any other hub id, downloads the outline: configuration and headers,
 * without weights.
 * @throws Blip2Error as `resolveSource` and `outlineModel`.
 */
async function openOne(source: string, options: ResolveOptions): Promise<OpenedFolder> {
  let offline: Blip2Error;
  try {
    return {
      folder: await resolveSource(source, { ...options, localFilesOnly: true }),
      async [Symbol.asyncDispose]() {},
    };
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
    download: { totalBytes, missingBytes, ...defined({ licence }) },
    [Symbol.asyncDispose]: () => outline[Symbol.asyncDispose](),
  };
}
