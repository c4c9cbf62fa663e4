import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import type { CommandOutput } from '../fuzz/fuzz-command.ts';
import { mutantProblem, type PromiseMutant, readPromiseMutants } from './promise-mutant.ts';
import { isNoticed, passes } from './run-promise-mutant.ts';
import { copyWorkspace } from './workspace-copy.ts';

const USAGE = 'usage: npm run promise-mutants -- [--only TEXT…] [--json FILE]';
const EXIT = { noticed: 0, unnoticed: 1, usage: 2 } as const;
/** The root of the repository. The path is the same from `src` and `dist`. */
const ROOT: string = join(import.meta.dirname, '../../../..');

/** `npm run promise-mutants`: removes the check behind each promise in turn. Returns 1 if a test still passes. */
export async function promiseMutantsCommand(
  args: readonly string[],
  { print, complain }: CommandOutput,
): Promise<number> {
  const given = parseArguments(args);
  if (typeof given === 'string') {
    complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  const chosen = (await readPromiseMutants()).filter(
    ({ name, file }) => given.only.length === 0 || given.only.some((text) => `${name} ${file}`.includes(text)),
  );
  await using copy = await copyWorkspace(ROOT);
  const sound = new Map<string, boolean>();
  const results: Result[] = [];
  for (const mutant of chosen) {
    const isSound = sound.get(mutant.test) ?? (await passes(copy.root, mutant.test));
    sound.set(mutant.test, isSound);
    const problem = isSound
      ? await mutantProblem(copy.root, mutant)
      : `${mutant.name}: ${mutant.test} fails without the mutant`;
    if (problem !== undefined) complain(problem);
    const noticed = problem === undefined && (await isNoticed(copy.root, mutant));
    print(`${mutant.name}  ${mutant.file}  ${noticed ? 'noticed' : 'NOT NOTICED'}`);
    results.push({ ...mutant, noticed });
    // After each, as a run takes half an hour.
    if (given.json !== undefined) await writeResults(given.json, results);
  }
  const noticed = results.filter((result) => result.noticed).length;
  print(`${results.length} mutants, ${noticed} noticed`);
  return noticed === results.length && results.length > 0 ? EXIT.noticed : EXIT.unnoticed;
}

type Result = PromiseMutant & { readonly noticed: boolean };

async function writeResults(file: string, results: readonly Result[]): Promise<void> {
  const rows = results.map(({ name, promise, file: source, test, noticed }) => ({
    name,
    promise,
    file: source,
    test,
    noticed,
  }));
  await writeFile(file, `${JSON.stringify(rows, undefined, 1)}\n`);
}

function parseArguments(
  args: readonly string[],
): { readonly only: readonly string[]; readonly json: string | undefined } | string {
  try {
    const options = { only: { type: 'string', multiple: true }, json: { type: 'string' } } as const;
    const { values } = parseArgs({ args: [...args], options });
    return { only: values.only ?? [], json: values.json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
