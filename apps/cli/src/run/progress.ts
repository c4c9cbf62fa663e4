import type { Environment } from '../environment.ts';

/** A count on the last line of a terminal. Silent anywhere else. */
export interface Progress {
  show(done: number, total: number): void;
  /** Takes the count away, so that a line can be written. */
  clear(): void;
}

const CLEAR_LINE = '\r\u001b[K';
const silent: Progress = { show: () => {}, clear: () => {} };

export function createProgress({ stderr, variables }: Pick<Environment, 'stderr' | 'variables'>, wanted: boolean): Progress {
  const terminal = stderr.isTTY === true && !variables['CI'] && variables['TERM'] !== 'dumb';
  if (!wanted || !terminal) return silent;
  return {
    show: (done, total) => void stderr.write(`${CLEAR_LINE}${done}/${total} images`),
    clear: () => void stderr.write(CLEAR_LINE),
  };
}
