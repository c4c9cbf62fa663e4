import { outlineModel } from '@blip2/checkpoint';
import { isRepositoryId, type ResolveOptions, resolveSource } from '@blip2/hub';
import { Blip2Error } from '@blip2/interfaces';

import type { DownloadReport } from './checkpoint-report.ts';

/** A folder to look at, and what a download would bring if it is but an outline of a model of the hub. */
export interface OpenedSource extends AsyncDisposable {
  readonly folder: string;
  readonly download?: DownloadReport;
}

/**
 * A folder, or a model of the cache; of any other hub id the outline: configuration and headers, no weights. @throws
 * Blip2Error as `resolveSource` and `outlineModel` do.
 */
export async function openSource(source: string, options: ResolveOptions): Promise<OpenedSource> {
  try {
    return {
      folder: await resolveSource(source, { ...options, localFilesOnly: true }),
      async [Symbol.asyncDispose]() {},
    };
  } catch (error) {
    if (
      !(error instanceof Blip2Error) ||
      error.code !== 'OFFLINE' ||
      options.localFilesOnly === true ||
      !isRepositoryId(source)
    )
      throw error;
  }
  const outline = await outlineModel(source, options);
  const { totalBytes, missingBytes, licence } = outline.plan;
  return {
    folder: outline.folder,
    download: { totalBytes, missingBytes, ...(licence !== undefined && { licence }) },
    [Symbol.asyncDispose]: () => outline[Symbol.asyncDispose](),
  };
}
