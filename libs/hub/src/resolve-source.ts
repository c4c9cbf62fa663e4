import { stat } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import { downloadModel, type DownloadOptions, downloadProcessor } from './download/download-model.ts';
import { isRepositoryId } from './repository/repository-id.ts';

/** Options of every `fromPretrained` about where a model comes from. All but `signal` matter for hub ids only. */
export type ResolveOptions = DownloadOptions;

/** Turns the `source` of a `fromPretrained` into a folder on this machine. */
export type SourceResolver = (source: string, options?: ResolveOptions) => Promise<string>;

/**
 * Takes a folder in the hub layout as it is; anything else of the form `owner/name` is a model of the hub, and what the
 * cache lacks of it is downloaded.
 * Fails with `MISSING_FILE` for a path that leads nowhere or to a file, and as `downloadModel` does.
 */
export const resolveSource: SourceResolver = (source, options) => resolve(source, options, downloadModel);

/**
 * The same for what needs no model: of a hub id the files of processor and tokenizers are downloaded, some MB, and no
 * weights. What is in the cache then is no model yet.
 * Fails with `MISSING_FILE` for a path that leads nowhere or to a file, and as `downloadModel` does; also for a
 * repository with neither processor nor tokenizer.
 */
export const resolveProcessorSource: SourceResolver = (source, options) => resolve(source, options, downloadProcessor);

async function resolve(source: string, options: ResolveOptions = {}, download: SourceResolver): Promise<string> {
  options.signal?.throwIfAborted();
  const found = await stat(source).catch(() => undefined);
  if (found?.isDirectory()) return source;
  if (found)
    throw new Blip2Error('MISSING_FILE', 'The model is a file, not a folder', {
      where: source,
      fix: 'Give the folder that holds it',
    });
  if (isRepositoryId(source))
    return download(source, options).catch((error: unknown) => {
      throw withFolderHint(error, source);
    });
  throw new Blip2Error('MISSING_FILE', 'The model folder does not exist', { where: source });
}

/** Whoever meant a folder is told that there is none. */
function withFolderHint(error: unknown, source: string): unknown {
  if (error instanceof Blip2Error && error.code === 'NOT_FOUND' && error.details.subject === source)
    return new Blip2Error('NOT_FOUND', 'There is no such folder, and the hub has no such repository', {
      ...error.details,
      cause: error,
    });
  return error;
}
