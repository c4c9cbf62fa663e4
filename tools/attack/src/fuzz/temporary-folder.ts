import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { OpenTarget } from './target.ts';

/** Opens a target that works in a folder of its run, which is deleted at the end. */
export async function inTemporaryFolder<T>(
  open: (folder: string) => OpenTarget<T> | Promise<OpenTarget<T>>,
): Promise<OpenTarget<T>> {
  const folder = await mkdtemp(join(tmpdir(), 'blip2-attack-'));
  return { ...(await open(folder)), [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
