import { writeFile } from 'node:fs/promises';

import type { CommandOutput } from '../fuzz/fuzz-command.ts';
import { parseRunArguments } from '../run-arguments.ts';
import { batchScenario } from './batch-scenario.ts';
import { conversionScenario } from './conversion-scenario.ts';
import { downloadScenario } from './download-scenario.ts';
import { type KillResult, runKills } from './run-kills.ts';
import { seededRandom } from './seeded-random.ts';

const USAGE = 'usage: npm run kills -- [--kills N] [--seed N] [--only SCENARIO] [--json FILE]';
const EXIT = { held: 0, broken: 1, usage: 2 } as const;
const SCENARIOS = [downloadScenario, conversionScenario, batchScenario] as const;

/** `npm run kills`: kills jobs at random moments. Returns 1 if something was lost, differs or was left over. */
export async function killsCommand(args: readonly string[], { print, complain }: CommandOutput): Promise<number> {
  const given = parseRunArguments(args, { name: 'kills', count: 200 });
  if (typeof given === 'string') {
    complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  const results: KillResult[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(given.only))) {
    const result = await runKills(scenario, { kills: given.count, random: seededRandom(given.seed) });
    const { kills, rounds, broken } = result;
    print(`${scenario.name}  ${kills} kills in ${rounds} rounds  ${broken === undefined ? 'held' : 'BROKEN'}`);
    if (broken !== undefined) complain(`${scenario.name}: ${broken}`);
    results.push(result);
  }
  if (given.json !== undefined) await writeFile(given.json, `${JSON.stringify(results, undefined, 1)}\n`);
  const held = results.every(({ broken }) => broken === undefined);
  return held && results.length > 0 ? EXIT.held : EXIT.broken;
}
