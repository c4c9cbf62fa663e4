import { createReadStream } from 'node:fs';
import { readlink, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';

import { CHUNK_BYTES } from '@blip2/files';
import { Blip2Error, defined } from '@blip2/interfaces';

import { etagHash } from '../repository/content-hash.ts';
import { filesInScope, isModelFile } from '../repository/needed-files.ts';
import { etagOf } from '../repository/repository-files.ts';
import { checkRepositoryId, checkRevision, DEFAULT_REVISION } from '../repository/repository-id.ts';
import { shardsOf } from './cached-snapshot.ts';
import { filesBelow } from './folder-files.ts';
import { type RepositoryFolder, repositoryFolder } from './repository-folder.ts';
import { cachedCommit, snapshotFolder } from './snapshot-files.ts';
import { readTreeCache } from './tree-cache.ts';

/** Result for one file. */
export interface VerifiedFile {
  readonly path: string;
  /** `unknown`: the cache does not contain its checksum. */
  readonly state: 'ok' | 'damaged' | 'missing' | 'unknown';
}

/** Options of `verifyCachedModel`. */
export interface VerifyOptions {
  /** A branch, a tag or a commit. Default `main`. */
  readonly revision?: string;
  readonly signal?: AbortSignal;
  /** Deletes damaged files, so that the next download fetches them, and only them, again. */
  readonly removeDamaged?: boolean;
  /** Called with the result of each file. */
  readonly onFile?: (file: VerifiedFile) => void;
}

/**
 * Reads every file of a cached model and compares it with its checksum. Needs no network.
 * @throws Blip2Error `MISSING_FILE` if the model is not in the cache, `INVALID_ARGUMENT`; the signal's reason.
 */
export async function verifyCachedModel(
  cacheFolder: string,
  id: string,
  { revision = DEFAULT_REVISION, signal, removeDamaged, onFile }: VerifyOptions = {},
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
      fix: `Run blip2 download ${id}`,
    });
  }
  const tree = await readTreeCache(repository, commit);
  const listed = new Map(tree?.map((file) => [file.path, file]));
  const present = (await filesBelow(folder)).map((path) => relative(folder, path).split(sep).join('/'));
  const results: VerifiedFile[] = [];
  // A snapshot that holds only a processor is not missing its weights.
  const scope = present.some(isModelFile) ? 'model' : 'processor';
  const shards = tree && (await shardsOf(tree, scope, folder, repository.blobs).catch(() => undefined));
  for (const path of new Set([...present, ...filesInScope(tree ?? [], scope, shards).map((file) => file.path)])) {
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
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES, ...defined({ signal }) }))
    hash.update(chunk as Uint8Array);
  return hash.matches() ? 'ok' : 'damaged';
}

/**
 * Deletes a file of a snapshot, its blob first: if the process is killed in between, the file is missing, not damaged.
 * Blobs in the store shared by all repositories belong to Python and are kept.
 */
async function removeFile(path: string, { blobs }: RepositoryFolder): Promise<void> {
  const target = await readlink(path).catch(() => undefined);
  const blob = target === undefined ? undefined : join(path, '..', target);
  if (blob !== undefined && dirname(blob) === blobs) await rm(blob, { force: true });
  await rm(path, { force: true });
}
