import { createReadStream } from 'node:fs';
import { readlink, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { etagHash } from '../repository/content-hash.ts';
import { isModelFile, wantedFiles } from '../repository/needed-files.ts';
import { etagOf } from '../repository/repository-files.ts';
import { checkRepositoryId, checkRevision } from '../repository/repository-id.ts';
import { filesBelow } from './cached-models.ts';
import { type RepositoryFolder, repositoryFolder } from './repository-folder.ts';
import { cachedCommit, snapshotFolder } from './snapshot-files.ts';
import { readTreeCache } from './tree-cache.ts';

export interface VerifiedFile {
  readonly path: string;
  /** `unknown`: nothing in the cache says what its checksum is. */
  readonly state: 'ok' | 'damaged' | 'missing' | 'unknown';
}

export interface VerifyOptions {
  readonly revision?: string;
  readonly signal?: AbortSignal;
  /** Takes damaged files out of the cache, so that the next download brings them, and only them. */
  readonly removeDamaged?: boolean;
  /** Called with each file when it has been read. */
  readonly onFile?: (file: VerifiedFile) => void;
}

/**
 * Reads every file of a model in the cache and compares it with its checksum; needs no network. @throws Blip2Error
 * `MISSING_FILE` if it is not in the cache.
 */
export async function verifyCachedModel(
  cacheFolder: string,
  id: string,
  { revision = 'main', signal, removeDamaged, onFile }: VerifyOptions = {},
): Promise<readonly VerifiedFile[]> {
  checkRepositoryId(id);
  checkRevision(revision);
  const repository = repositoryFolder(cacheFolder, id);
  const commit = await cachedCommit(repository, revision);
  const folder = commit === undefined ? undefined : snapshotFolder(repository, commit);
  if (commit === undefined || folder === undefined || !(await stat(folder).catch(() => undefined))?.isDirectory()) {
    throw new Blip2Error('MISSING_FILE', 'The model is not in the cache', {
      where: `${id} at ${revision}`,
      got: cacheFolder,
    });
  }
  const tree = await readTreeCache(repository, commit);
  const listed = new Map(tree?.map((file) => [file.path, file]));
  const present = (await filesBelow(folder)).map((path) => relative(folder, path).split(sep).join('/'));
  const results: VerifiedFile[] = [];
  // From a snapshot that only a processor was loaded from, no weights are missing.
  const wanted = present.some(isModelFile) ? 'model' : 'processor';
  for (const path of new Set([...present, ...wantedFiles(tree ?? [], wanted).map((file) => file.path)])) {
    signal?.throwIfAborted();
    const file = listed.get(path);
    const result = { path, state: await stateOf(join(folder, path), file && etagOf(file), file?.size, signal) };
    if (removeDamaged === true && result.state === 'damaged') await removeFile(join(folder, path), repository);
    results.push(result);
    onFile?.(result);
  }
  return results;
}

async function stateOf(
  path: string,
  listed: string | undefined,
  size: number | undefined,
  signal: AbortSignal | undefined,
): Promise<VerifiedFile['state']> {
  const facts = await stat(path).catch(() => undefined);
  if (!facts?.isFile()) return 'missing';
  const etag = listed ?? basename((await readlink(path).catch(() => undefined)) ?? '');
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) return 'unknown';
  if (size !== undefined && size !== facts.size) return 'damaged';
  const hash = etagHash(etag, facts.size);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, ...(signal && { signal }) }))
    hash.update(chunk as Uint8Array);
  return hash.matches() ? 'ok' : 'damaged';
}

/**
 * The blob before the link to it: killed in between, the file is missing, not damaged. What all repositories share is
 * left to Python.
 */
async function removeFile(path: string, { blobs }: RepositoryFolder): Promise<void> {
  const target = await readlink(path).catch(() => undefined);
  const blob = target === undefined ? undefined : join(path, '..', target);
  if (blob !== undefined && dirname(blob) === blobs) await rm(blob, { force: true });
  await rm(path, { force: true });
}
