import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Verdict } from '@blip2/files';

import { verifyFolderNow } from './prepacked-manifest.ts';

/** Prepacked weights of one graph, compared with their checksums. */
export interface VerifiedPrepacked {
  /** Folder of the graph and its weights. */
  readonly folder: string;
  readonly state: Verdict;
}

/** Pattern of the names of folders of prepacked weights. Others are unfinished, or notes. */
const FOLDER_NAME = /-[0-9a-f]{32}$/;

/**
 * Reads all graphs and weights in a `packedFolder` completely and compares them with the checksums that were recorded
 * when they were saved. Damaged ones are saved again when they are next needed.
 * @throws the signal's reason.
 */
export async function verifyPrepacked(
  packedFolder: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<VerifiedPrepacked[]> {
  const names = (await readdir(packedFolder).catch(() => [])).filter((name) => FOLDER_NAME.test(name));
  const verified: VerifiedPrepacked[] = [];
  for (const name of names.toSorted()) {
    const folder = join(packedFolder, name);
    verified.push({ folder, state: await verifyFolderNow(folder, signal) });
  }
  return verified;
}
