import type { ResultObject } from '../tables/table.ts';

/** The results among whole JSON lines: inputs that failed are left out. */
export function resultsOf(lines: string): readonly ResultObject[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line): ResultObject => JSON.parse(line))
    .filter(({ error }) => error === undefined);
}
