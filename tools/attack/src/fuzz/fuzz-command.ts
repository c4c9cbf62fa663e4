import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { runTarget, type TargetResult } from './run-target.ts';
import type { Target } from './target.ts';
import { targets } from './targets.ts';

const USAGE = 'usage: npm run attack -- [--cases N] [--seed N] [--only TARGET] [--json FILE]';
const EXIT = { held: 0, broken: 1, usage: 2 } as const;
const DEFAULTS = { cases: '1000', seed: '1' } as const;

/** Where a command prints. */
export interface CommandOutput {
  print(line: string): void;
  complain(line: string): void;
}

interface Arguments {
  readonly cases: number;
  readonly seed: number;
  readonly only: string;
  readonly json: string | undefined;
}

/** `npm run attack`: runs generated cases against every target. Returns 1 if a promise is broken. */
export async function attackCommand(
  args: readonly string[],
  { print, complain }: CommandOutput,
  all: readonly Target<unknown>[] = targets,
): Promise<number> {
  const given = parseArguments(args);
  if (typeof given === 'string') {
    complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  const results: TargetResult[] = [];
  for (const target of all.filter(({ name }) => name.includes(given.only))) {
    const result = await runTarget(target, given);
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

function parseArguments(args: readonly string[]): Arguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        cases: { type: 'string', default: DEFAULTS.cases },
        seed: { type: 'string', default: DEFAULTS.seed },
        only: { type: 'string', default: '' },
        json: { type: 'string' },
      },
    });
    const [cases, seed] = [Number(values.cases), Number(values.seed)];
    if (!Number.isSafeInteger(cases) || cases < 1) return `--cases must be a positive integer, got ${values.cases}`;
    if (!Number.isSafeInteger(seed)) return `--seed must be an integer, got ${values.seed}`;
    return { cases, seed, only: values.only, json: values.json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
