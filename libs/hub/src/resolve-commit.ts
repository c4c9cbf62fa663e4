import { realpath } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import { commitInCache, offlineError } from './cache/cached-snapshot.ts';
import { repositoryFolder } from './cache/repository-folder.ts';
import { type HubIo, hubIo } from './client/hub-io.ts';
import { hubSettings } from './client/hub-settings.ts';
import type { PlanOptions } from './download/plan-download.ts';
import { fetchRevision } from './repository/repository-files.ts';
import { checkRevision, DEFAULT_REVISION, isCommit } from './repository/repository-id.ts';
import { hubModel } from './resolve-source.ts';

const SNAPSHOT_PATTERN = /[\\/]models--[^\\/]+[\\/]snapshots[\\/](?<commit>[0-9a-f]{40})$/;

/** The commit of a snapshot folder in the cache, which is part of its path; `undefined` for any other folder. */
export function commitOfSnapshot(folder: string): string | undefined {
  return SNAPSHOT_PATTERN.exec(folder)?.groups?.['commit'];
}

/**
 * The commit of a model: that to which its branch or tag currently resolves, by one request; from the cache if the Hub
 * is unreachable or must not be used. `undefined` for a folder that is not a snapshot in the cache. Downloads nothing:
 * pass the result as `revision` to load that commit, even if the branch moves meanwhile.
 * @throws Blip2Error `OFFLINE`, `NOT_FOUND`, `UNAUTHORIZED`, `DOWNLOAD_FAILED`, `INVALID_ARGUMENT`; the signal's
 * reason.
 */
export async function resolveCommit(
  source: string,
  options: PlanOptions = {},
  io: HubIo = hubIo,
): Promise<string | undefined> {
  const folder = await realpath(source).catch(() => undefined);
  if (folder !== undefined) return commitOfSnapshot(folder);
  const model = await hubModel(source, options.revision);
  if (!model) return undefined;
  const { id, revision = DEFAULT_REVISION } = model;
  checkRevision(revision);
  if (isCommit(revision)) return revision;
  const settings = await hubSettings(options);
  const cached = (): Promise<string | undefined> => commitInCache(repositoryFolder(settings.cacheFolder, id), revision);
  if (settings.offline) {
    const commit = await cached();
    if (commit === undefined) throw offlineError(id, 'The model is not in the cache', settings.cacheFolder);
    return commit;
  }
  try {
    return (await fetchRevision({ settings, io, signal: options.signal }, id, revision)).commit;
  } catch (error) {
    const commit =
      error instanceof Blip2Error && error.code === 'DOWNLOAD_FAILED'
        ? await cached().catch(() => undefined)
        : undefined;
    if (commit === undefined) throw error;
    return commit;
  }
}
