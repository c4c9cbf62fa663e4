import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';

import { type HubServer, type ServedRepository, startHubServer } from '@blip2/testing';

import { root } from './documents.ts';

/** Repositories that documents use, and the demo checkpoint of the same class. */
const DEMOS: Readonly<Record<string, string>> = { 'Salesforce/blip2-flan-t5-xl': 'blip2-t5-shapes' };

/** A demo checkpoint as a repository. */
export function demoRepository(demo: string): Promise<ServedRepository> {
  return folderRepository(join(root, 'apps/cli/models', demo));
}

/** A folder as a repository. */
export async function folderRepository(folder: string): Promise<ServedRepository> {
  const paths = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const files = await Promise.all(
    paths.map(async (path) => [relative(folder, path).split(sep).join('/'), await readFile(path)] as const),
  );
  return { licence: 'mit', files: Object.fromEntries(files) };
}

/** Starts a local hub server with demo checkpoints under the ids of stock checkpoints. */
export async function startDemoHub(): Promise<HubServer> {
  const repositories = await Promise.all(
    Object.entries(DEMOS).map(async ([id, demo]) => [id, await demoRepository(demo)] as const),
  );
  return startHubServer({ repositories: Object.fromEntries(repositories) });
}

/** Environment variables for a command that uses only this hub and caches files in `folder`. */
export function hubVariables(hub: HubServer, folder: string): Record<string, string> {
  const [home, converted] = [join(folder, 'huggingface'), join(folder, 'converted')];
  return {
    HF_ENDPOINT: hub.endpoint,
    HF_HOME: home,
    HF_HUB_CACHE: join(home, 'hub'),
    HF_TOKEN: '',
    HF_HUB_OFFLINE: '',
    BLIP2_CACHE: converted,
  };
}
