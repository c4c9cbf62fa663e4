import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { decodePath, systemPath } from '../images/path-names.ts';

const unfinished = new Set<string>();

/** Registry of temporary files and locks. Those that are still registered when the process ends are deleted. */
export const temporaryFiles: { add(file: string): void; forget(file: string): void; removeAll(): void } = {
  add(file) {
    if (unfinished.size === 0) process.once('exit', temporaryFiles.removeAll);
    unfinished.add(file);
  },
  forget(file) {
    unfinished.delete(file);
    if (unfinished.size === 0) process.off('exit', temporaryFiles.removeAll);
  },
  removeAll() {
    for (const file of unfinished) rmSync(systemPath(file), { force: true });
    unfinished.clear();
  },
};

/** A unique temporary name next to `file`, which names this process. */
export async function temporaryName(file: string): Promise<string> {
  const { processName } = await import('@blip2/files');
  return `${file}.${processName}-${randomBytes(4).toString('hex')}.tmp`;
}

/** The end of a temporary name. */
const TEMPORARY = /\.([0-9a-f]{8}-\d+)-[0-9a-f]{8}\.tmp$/;
/** Milliseconds after which an unchanged temporary file of another machine counts as abandoned. */
const ABANDONED_AFTER = 3_600_000;

export interface LeftoverRules {
  /** Only files whose names start with this. */
  readonly prefix?: string;
  /** Files of running processes too: their outputs are locked by this process, so they cannot be in use. */
  readonly all?: boolean;
}

/** Deletes the temporary files that killed processes left in a folder. A file that cannot be deleted stays. */
export async function removeLeftovers(folder: string, { prefix = '', all = false }: LeftoverRules = {}): Promise<void> {
  const names = await readdir(systemPath(folder), 'buffer').catch(() => []);
  for (const bytes of names) {
    const name = decodePath(bytes);
    const owner = name.startsWith(prefix) ? TEMPORARY.exec(name)?.[1] : undefined;
    const file = join(folder, name);
    if (owner === undefined || unfinished.has(file)) continue;
    if (all || (await isAbandoned(file, owner))) await rm(systemPath(file), { force: true }).catch(() => {});
  }
}

async function isAbandoned(file: string, owner: string): Promise<boolean> {
  const { isRunning } = await import('@blip2/files');
  const running = isRunning(owner);
  if (running !== undefined) return !running;
  const facts = await stat(systemPath(file)).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs > ABANDONED_AFTER;
}
