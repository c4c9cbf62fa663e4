import { join } from 'node:path';

import { licenceReport } from './licences.ts';

/** The root of the repository. The path is the same from `src` and `dist`. */
const ROOT: string = join(import.meta.dirname, '../../..');

/** `npm run licences`: prints the licences of what users install. Returns 1 if one is not allowed. */
export async function licencesCommand(print: (line: string) => void): Promise<number> {
  const { counts, problems } = await licenceReport(ROOT);
  for (const [licence, count] of Object.entries(counts).toSorted(([, one], [, other]) => other - one))
    print(`${licence}  ${count}`);
  for (const problem of problems) print(problem);
  return problems.length === 0 ? 0 : 1;
}
