import type { Environment } from '../environment.ts';

/** Notes on stderr that a run skipped inputs whose results an earlier run wrote. */
export function noteDoneBefore(
  done: number,
  total: number,
  inputs: 'images' | 'texts',
  { stderr }: Pick<Environment, 'stderr'>,
): void {
  if (done > 0) stderr.write(`${done} of ${total} ${inputs} were done before.\n`);
}
