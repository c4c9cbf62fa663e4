import type { Environment } from '../environment.ts';

/** Returns to the start of the line and clears it. */
export const CLEAR_LINE = '\r\u001b[K';

/** Assumed width of a terminal that does not report one; some report 0. */
const DEFAULT_COLUMNS = 80;

/** Whether progress can be shown on stderr: it is a terminal, and neither CI nor `TERM=dumb` is set. */
export function canShowProgress({ stderr, variables }: Pick<Environment, 'stderr' | 'variables'>): boolean {
  return stderr.isTTY === true && !variables['CI'] && variables['TERM'] !== 'dumb';
}

/** Width of the longest line that does not wrap: in a full last column, the cursor moves to the next line. */
export function lineWidth({ columns }: Pick<Environment['stderr'], 'columns'>): number {
  return (columns || DEFAULT_COLUMNS) - 1;
}
