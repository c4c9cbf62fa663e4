import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { CommandOutput } from '../fuzz/fuzz-command.ts';
import { seededRandom } from '../kills/seeded-random.ts';
import { parseRunArguments } from '../run-arguments.ts';
import { EXAMPLE_IMAGE, writeWideCheckpoint } from '../wide-checkpoint.ts';
import { EXIT_SCENARIOS } from './exit-scenario.ts';
import { type ExitResult, runExits } from './run-exits.ts';

const USAGE = 'usage: npm run exits -- [--runs N] [--seed N] [--only SCENARIO] [--json FILE]';
const EXIT = { held: 0, broken: 1, usage: 2 } as const;

/** `npm run exits`: programs end themselves while parts of a model run. Returns 1 if one ended in another way. */
export async function exitsCommand(args: readonly string[], { print, complain }: CommandOutput): Promise<number> {
  const given = parseRunArguments(args, { name: 'runs', count: 50 });
  if (typeof given === 'string') {
    complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  const job = join(import.meta.dirname, 'exit-job.js');
  const folder = await mkdtemp(join(tmpdir(), 'blip2-exits-'));
  const results: ExitResult[] = [];
  try {
    await writeWideCheckpoint(folder);
    const random = seededRandom(given.seed);
    for (const scenario of EXIT_SCENARIOS.filter(({ name }) => name.includes(given.only))) {
      const result = await runExits(scenario, { runs: given.count, random, args: [job, folder, EXAMPLE_IMAGE] });
      const { runs, broken } = result;
      print(`${scenario.name}  ${runs} runs  ${broken === undefined ? 'held' : 'BROKEN'}`);
      if (broken !== undefined) complain(`${scenario.name}: ${broken}`);
      results.push(result);
      // After each, as a run takes minutes.
      if (given.json !== undefined) await writeFile(given.json, `${JSON.stringify(results, undefined, 1)}\n`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const held = results.every(({ broken }) => broken === undefined);
  return held && results.length > 0 ? EXIT.held : EXIT.broken;
}
