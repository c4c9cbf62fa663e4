import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { type GoldenCase, readGoldenCase } from '../golden-case.ts';
import type { ParityOutput } from '../parity-command.ts';
import type { Mutation } from './mutation.ts';
import { mutations } from './mutations.ts';
import { type MutationResult, runMutation, soundEntries } from './run-mutation.ts';

const USAGE = 'usage: npm run mutants -- [--only TEXT] [--json FILE]';
const EXIT = { detected: 0, undetected: 1, usage: 2 } as const;
/** The committed cases, which mutations name. The path is the same from `src` and `dist`. */
const CASES: string = join(import.meta.dirname, '../../cases');

/** `npm run mutants`: applies the mutations one at a time. Returns 1 if a mutation fails no entry. */
export async function mutantsCommand(
  args: readonly string[],
  { print, complain }: ParityOutput,
  all: readonly Mutation[] = mutations,
): Promise<number> {
  const given = parseArguments(args);
  if (typeof given === 'string') {
    complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  const chosen = all.filter(({ name }) => name.includes(given.only ?? ''));
  const cases = new Map<string, { readonly golden: GoldenCase; readonly sound: ReadonlySet<string> }>();
  const results: MutationResult[] = [];
  for (const mutation of chosen) {
    const known = cases.get(mutation.case) ?? (await loadCase(mutation.case));
    cases.set(mutation.case, known);
    const result = await runMutation(known.golden, mutation, known.sound);
    print(mutationLine(result));
    results.push(result);
  }
  if (given.json !== undefined) await writeFile(given.json, toJson(results));
  const problems = results.flatMap(problemsOf);
  for (const problem of problems) complain(problem);
  print(`${results.length} mutations, ${results.filter(({ broken }) => broken > 0).length} noticed`);
  return problems.length === 0 && results.length > 0 ? EXIT.detected : EXIT.undetected;
}

async function loadCase(name: string): Promise<{ golden: GoldenCase; sound: ReadonlySet<string> }> {
  const golden = await readGoldenCase(join(CASES, name));
  return { golden, sound: await soundEntries(golden) };
}

function toJson(results: readonly MutationResult[]): string {
  const rows = results.map(({ mutation, case: caseName, broken, entries, largestRatio }) => ({
    mutation,
    case: caseName,
    broken,
    entries,
    largestRatio,
  }));
  return `${JSON.stringify(rows, undefined, 1)}\n`;
}

function mutationLine({ mutation, case: caseName, broken, entries, largestRatio }: MutationResult): string {
  const ratio = largestRatio === 'exact' ? 'exact' : `${Number(largestRatio.toPrecision(2))}×`;
  return `${mutation}  ${caseName}  noticed by ${broken} of ${entries} entries, largest difference ${ratio}`;
}

function problemsOf({ mutation, broken, threw }: MutationResult): readonly string[] {
  if (broken === 0) return [`${mutation}: no entry notices it`];
  return threw.map((entry) => `${mutation}: an exception instead of a wrong result in ${entry}`);
}

function parseArguments(
  args: readonly string[],
): { readonly only: string | undefined; readonly json: string | undefined } | string {
  try {
    const { values } = parseArgs({ args: [...args], options: { only: { type: 'string' }, json: { type: 'string' } } });
    return { only: values.only, json: values.json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
