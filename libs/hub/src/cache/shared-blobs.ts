import { randomBytes } from 'node:crypto';
import { chmod, lstat, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';

/**
 * The store of large files shared by all repositories of a cache, which `huggingface_hub` writes:
 * `CACHE/blobs/XX/HASH`. `blobs/ETAG` of a repository is then a relative link to the stored file, and `HASH.refs` lists
 * these links, one per line. As in Python, the list is a hint: each line is compared with the links that exist, and a
 * file without a readable list is never deleted.
 */
const STORE_NAME = 'blobs';
const MARKER_NAME = '.huggingface-shared-blobs';
/** Content of the marker. Stores of another version are left alone. */
const MARKER_TEXT = '1\n';
const LIST_SUFFIX = '.refs';
const STORED_NAME = /^[0-9a-f]{64}$/;
/** A blob of a repository, relative to the cache folder. */
const BLOB_PATH = /^(?:models|datasets|spaces)--[^/]+\/blobs\/[^/\r\n]+$/;
/** A list of references that is larger is not one: it has a line of about 100 bytes per repository. */
const MAX_LIST_BYTES = 16_000_000;

async function readSmallFile(path: string, maxBytes: number): Promise<string | undefined> {
  const facts = await lstat(path).catch(() => undefined);
  if (facts?.isFile() !== true || facts.size > maxBytes) return undefined;
  return readFile(path, 'utf8').catch(() => undefined);
}

async function hasStore(cacheFolder: string): Promise<boolean> {
  const store = await lstat(join(cacheFolder, STORE_NAME)).catch(() => undefined);
  return (
    store?.isDirectory() === true &&
    (await readSmallFile(join(cacheFolder, STORE_NAME, MARKER_NAME), 100)) === MARKER_TEXT
  );
}

/** The stored file that `blob` is a link to, whether or not it exists; `undefined` if it is no such link. */
async function linkedPath(cacheFolder: string, blob: string): Promise<string | undefined> {
  if (!BLOB_PATH.test(relative(cacheFolder, blob).split(sep).join('/'))) return undefined;
  const link = await readlink(blob).catch(() => undefined);
  if (link === undefined) return undefined;
  const [prefix = '', name = '', ...more] = relative(
    join(resolve(cacheFolder), STORE_NAME),
    resolve(dirname(blob), link),
  ).split(sep);
  if (more.length > 0 || !STORED_NAME.test(name) || prefix !== name.slice(0, 2)) return undefined;
  return join(cacheFolder, STORE_NAME, prefix, name);
}

/** A file of the store, and its links. */
export interface SharedBlob {
  readonly path: string;
  readonly bytes: number;
  /** Paths of the blobs that link to it; `undefined` if they are not known. */
  readonly references: ReadonlySet<string> | undefined;
}

async function describeBlob(cacheFolder: string, path: string): Promise<SharedBlob | undefined> {
  const facts = await lstat(path).catch(() => undefined);
  return facts?.isFile() ? { path, bytes: facts.size, references: await referencesOf(cacheFolder, path) } : undefined;
}

async function referencesOf(cacheFolder: string, path: string): Promise<ReadonlySet<string> | undefined> {
  const text = await readSmallFile(path + LIST_SUFFIX, MAX_LIST_BYTES);
  if (text === undefined) return undefined;
  const references = new Set<string>();
  for (const line of text.split(/\r?\n/)) {
    if (isAbsolute(line) || line.split('/').includes('..')) continue;
    const blob = join(cacheFolder, line);
    if ((await linkedPath(cacheFolder, blob)) === path) references.add(blob);
  }
  return references;
}

/** The files of the store that `blobs` link to, each once. */
export async function sharedBlobsOf(cacheFolder: string, blobs: readonly string[]): Promise<readonly SharedBlob[]> {
  if (!(await hasStore(cacheFolder))) return [];
  const paths = new Set<string>();
  for (const blob of blobs) {
    const path = await linkedPath(cacheFolder, blob);
    if (path !== undefined) paths.add(path);
  }
  return describeAll(cacheFolder, [...paths]);
}

/** All files of the store. */
export async function allSharedBlobs(cacheFolder: string): Promise<readonly SharedBlob[]> {
  if (!(await hasStore(cacheFolder))) return [];
  const store = join(cacheFolder, STORE_NAME);
  const paths: string[] = [];
  for (const prefix of (await readdir(store).catch(() => [])).filter((name) => /^[0-9a-f]{2}$/.test(name)))
    for (const name of await readdir(join(store, prefix)).catch(() => []))
      if (STORED_NAME.test(name) && name.startsWith(prefix)) paths.push(join(store, prefix, name));
  return describeAll(cacheFolder, paths.toSorted());
}

async function describeAll(cacheFolder: string, paths: readonly string[]): Promise<readonly SharedBlob[]> {
  const blobs = await Promise.all(paths.map((path) => describeBlob(cacheFolder, path)));
  return blobs.filter((blob) => blob !== undefined);
}

/**
 * Deletes the stored file `path` if no blob links to it any more, else removes stale lines from its list. Returns the
 * freed bytes. Python's lock cannot be taken from Node; instead, the file is moved aside while its links are looked for
 * once more.
 */
export async function sweepSharedBlob(cacheFolder: string, path: string): Promise<number> {
  const blob = await describeBlob(cacheFolder, path);
  if (!blob?.references) return 0;
  if (blob.references.size > 0) {
    await writeList(cacheFolder, path, blob.references);
    return 0;
  }
  const aside = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await rename(path, aside);
  } catch {
    return 0;
  }
  const references = await referencesOf(cacheFolder, path);
  if (references?.size !== 0) {
    await rename(aside, path);
    return 0;
  }
  await rm(aside, { force: true });
  await rm(path + LIST_SUFFIX, { force: true });
  return blob.bytes;
}

async function writeList(cacheFolder: string, path: string, references: ReadonlySet<string>): Promise<void> {
  const lines = [...references].map((blob) => `${relative(cacheFolder, blob).split(sep).join('/')}\n`);
  const temporary = `${path}${LIST_SUFFIX}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(temporary, lines.toSorted().join(''), { flag: 'wx' });
    // Other users of the cache add lines too.
    await chmod(temporary, 0o666);
    await rename(temporary, path + LIST_SUFFIX);
  } catch {
    // The list is a hint: stale lines do no harm.
    await rm(temporary, { force: true });
  }
}
