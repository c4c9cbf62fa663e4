import { createHash } from 'node:crypto';
import { lstat, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

import { type HubServer, type HubServerOptions, type ServedRepository, startHubServer } from '@blip2/testing';
import { onTestFinished, vi } from 'vitest';

import { type HubIo, hubIo } from './hub-io.ts';
import { MODEL_ID, NEEDED_PATHS, tinyRepository } from './tiny-repository.fixture.ts';

export { MODEL_ID, NEEDED_PATHS, noise, tinyRepository } from './tiny-repository.fixture.ts';

/** The real input and output without the waiting. */
export const impatientIo: HubIo = {
  ...hubIo,
  sleep: async (milliseconds, signal) => hubIo.sleep(Math.min(milliseconds, 20), signal),
};

export interface HubTest {
  readonly server: HubServer;
  readonly cacheDir: string;
}

/** A server and an empty cache, for the time of a test; all `HF_*` variables name these and nothing else. */
export async function hubTest(
  options: HubServerOptions = { repositories: { [MODEL_ID]: tinyRepository() } },
): Promise<HubTest> {
  const server = await startHubServer(options);
  const cacheDir = await temporaryCache();
  onTestFinished(() => server.close());
  for (const [name, value] of Object.entries(hubVariables(server.endpoint, cacheDir))) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  return { server, cacheDir };
}

export function hubVariables(endpoint: string, cacheDir: string): Record<string, string> {
  return {
    HF_ENDPOINT: endpoint,
    HF_HOME: join(cacheDir, 'home'),
    HF_HUB_CACHE: cacheDir,
    HF_TOKEN: '',
    HF_HUB_OFFLINE: '',
    HF_HUB_DISABLE_SYMLINKS: '',
    HF_HUB_DOWNLOAD_TIMEOUT: '5',
    HF_HUB_ETAG_TIMEOUT: '5',
  };
}

export async function temporaryCache(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-hub-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Every file and link below a folder: `path` or `path -> target`, sorted. Locks of Python's client are empty files that
 * say nothing.
 */
export async function listing(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const lines = await Promise.all(
    names
      .filter((entry) => !entry.isDirectory())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        const name = relative(folder, path);
        return (await lstat(path)).isSymbolicLink() ? `${name} -> ${await readlink(path)}` : name;
      }),
  );
  return lines.filter((line) => !line.startsWith('.locks/') && !line.startsWith('home/')).toSorted();
}

/** Checks every blob by its name. Returns those that are not what they are called. */
export async function badBlobs(cacheDir: string, id: string = MODEL_ID): Promise<string[]> {
  const folder = join(cacheDir, `models--${id.replace('/', '--')}`, 'blobs');
  const bad: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.endsWith('.incomplete')) continue;
    const content = await readFile(join(folder, name));
    const digest =
      name.length === 64
        ? createHash('sha256').update(content)
        : createHash('sha1').update(`blob ${content.length}\0`).update(content);
    if (digest.digest('hex') !== name) bad.push(name);
  }
  return bad;
}

/** The contents of a snapshot, to compare with the repository. */
export async function contents(
  folder: string,
  paths: readonly string[] = NEEDED_PATHS,
): Promise<Record<string, string>> {
  return Object.fromEntries(
    await Promise.all(
      paths.map(async (path) => [path, (await readFile(join(folder, path))).toString('base64')] as const),
    ),
  );
}

export function servedContents(
  { files }: ServedRepository,
  paths: readonly string[] = NEEDED_PATHS,
): Record<string, string> {
  return Object.fromEntries(paths.map((path) => [path, Buffer.from(files[path] ?? '').toString('base64')]));
}

/** Reproducible chance (mulberry32). */
export function seededChance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
