import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { readReliabilityData, withTables } from './reliability-report.ts';

/** The document. The path is the same from `src` and `dist`. */
export const RELIABILITY_DOCUMENT: string = join(import.meta.dirname, '../../../../docs/reliability.md');

/** `npm run reliability`: writes the tables of `docs/reliability.md`. */
export async function reliabilityCommand(): Promise<number> {
  const document = await readFile(RELIABILITY_DOCUMENT, 'utf8');
  await writeFile(RELIABILITY_DOCUMENT, withTables(document, await readReliabilityData()));
  return 0;
}
