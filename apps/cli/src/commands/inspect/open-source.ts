import { outlineModel } from '@blip2/checkpoint';
import { hubModel, type ResolveOptions, resolveSource } from '@blip2/hub';
import { Blip2Error, defined } from '@blip2/interfaces';

import type { DownloadReport } from './checkpoint-report.ts';

/** A folder to inspect, and the size of the download if it only holds the outline of a hub model. */
export interface OpenedSource extends AsyncDisposable {
  readonly folder: string;
  readonly download?: DownloadReport;
}

/**
 * Opens a folder or a model in the cache. For any other hub id, downloads the outline: configuration and headers,
 * without weights.
 * @throws Blip2Error as `resolveSource` and `outlineModel`.
 */
export async function openSource(source: string, options: ResolveOptions): Promise<OpenedSource> {
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
