import { writeFile } from 'node:fs/promises';

import { parseRunArguments } from '../run-arguments.ts';
import { runTarget, type TargetResult } from './run-target.ts';
import type { Target } from './target.ts';
import { targets } from './targets.ts';

const USAGE = 'usage: npm run attack -- [--cases N] [--seed N] [--only TARGET] [--json FILE]';
const EXIT = { held: 0, broken: 1, usage: 2 } as const;

/** Where a command prints. */
export interface CommandOutput {
  print(line: string): void;
  complain(line: string): void;
}

/** `npm run attack`: runs generated cases against every target. Returns 1 if a promise is broken. */
export async function attackCommand(
  args: readonly string[],
  { print, complain }: CommandOutput,
  all: readonly Target<unknown>[] = targets,
): Promise<number> {
  const given = parseRunArguments(args, { name: 'cases', count: 1000 });
  if (typeof given === 'string') {
    complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  const results: TargetResult[] = [];
  for (const target of all.filter(({ name }) => name.includes(given.only))) {
    const result = await runTarget(target, { cases: given.count, seed: given.seed });
    print(resultLine(result));
    if (result.broken !== undefined) complain(`${result.target}: ${result.broken}`);
    results.push(result);
  }
  if (given.json !== undefined) await writeFile(given.json, `${JSON.stringify(results, undefined, 1)}\n`);
  const held = results.filter(({ broken }) => broken === undefined).length;
  print(`${held} of ${results.length} targets held`);
  return held === results.length && results.length > 0 ? EXIT.held : EXIT.broken;
}

function resultLine({ target, cases, outcomes, slowestMs, grownMiB, broken }: TargetResult): string {
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count}`);
  const verdict = broken === undefined ? 'held' : 'BROKEN';
  return `${target}  ${cases} cases  ${verdict}  slowest ${slowestMs} ms cpu, +${grownMiB} MiB  ${counts.join(', ')}`;
}
