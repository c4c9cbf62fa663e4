import { stat } from 'node:fs/promises';

import { Blip2Error, defined, mustBe } from '@blip2/interfaces';

import { hubSettings } from './client/hub-settings.ts';
import { downloadModel, type DownloadOptions, downloadProcessor } from './download/download-model.ts';
import { type HubModel, parseHubModel } from './repository/hub-model.ts';

/** Source options shared by every `fromPretrained`. All but `signal` apply to repository ids only. */
export type ResolveOptions = DownloadOptions;

/** Resolves the `source` of a `fromPretrained` to a local folder. */
export type SourceResolver = (source: string, options?: ResolveOptions) => Promise<string>;

/**
 * Resolves a model. An existing folder is returned as is; any other `owner/name`, `owner/name@revision` or address of a
 * model page is a repository on the Hub, whose missing files are downloaded.
 * @throws Blip2Error `MISSING_FILE` for a path that does not exist or is a file, `INVALID_ARGUMENT` if the source and
 * the option name two revisions; as `downloadModel`.
 */
export const resolveSource: SourceResolver = (source, options) => resolve(source, options, downloadModel);

/**
 * Resolves a processor. As `resolveSource`, but downloads only the files of processor and tokenizers, a few MB. The
 * cache then does not contain the model.
 * @throws Blip2Error `MISSING_FILE` for a path that does not exist or is a file; as `downloadProcessor`.
 */
export const resolveProcessorSource: SourceResolver = (source, options) => resolve(source, options, downloadProcessor);

async function resolve(source: string, options: ResolveOptions = {}, download: SourceResolver): Promise<string> {
  options.signal?.throwIfAborted();
  const found = await stat(source).catch(() => undefined);
  if (found?.isDirectory()) return source;
  if (found)
    throw new Blip2Error('MISSING_FILE', 'The model is a file, not a folder', {
      where: source,
      fix: 'Pass the folder that contains it',
    });
  const model = await hubModel(source, options.revision);
  if (model)
    return download(model.id, { ...options, ...defined({ revision: model.revision }) }).catch((error: unknown) => {
      throw withFolderHint(error, source);
    });
  throw new Blip2Error('MISSING_FILE', 'The model folder does not exist', {
    where: source,
    fix: 'Pass an existing folder, or a repository id (owner/name, owner/name@revision)',
  });
}

/**
 * The model on the Hub that `source` names, at the revision of the option if it names none.
 * @throws Blip2Error `INVALID_ARGUMENT` if both name a revision and these differ, or for an address of something else.
 */
export async function hubModel(source: string, revision?: string): Promise<HubModel | undefined> {
  const model = parseHubModel(source, (await hubSettings({ token: 'none' })).endpoint);
  if (!model || revision === undefined || model.revision === revision) return model;
  if (model.revision === undefined) return { id: model.id, revision };
  throw mustBe('revision', `${model.revision}, as in ${source}`, revision, {
    fix: 'Give the revision once',
  });
}

/** Mentions the folder too if the repository does not exist: the source may have been meant as a path. */
function withFolderHint(error: unknown, source: string): unknown {
  if (error instanceof Blip2Error && error.code === 'NOT_FOUND' && error.details.subject === source)
    return new Blip2Error('NOT_FOUND', 'There is no such folder, and the Hub has no such repository', {
      ...error.details,
      cause: error,
    });
  return error;
}
