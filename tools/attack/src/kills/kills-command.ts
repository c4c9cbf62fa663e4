import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import type { CommandOutput } from '../fuzz/fuzz-command.ts';
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
  const given = parseArguments(args);
  if (typeof given === 'string') {
    complain(`${given}\n${USAGE}`);
    return EXIT.usage;
  }
  const results: KillResult[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(given.only))) {
    const result = await runKills(scenario, { kills: given.kills, random: seededRandom(given.seed) });
    const { kills, rounds, broken } = result;
    print(`${scenario.name}  ${kills} kills in ${rounds} rounds  ${broken === undefined ? 'held' : 'BROKEN'}`);
    if (broken !== undefined) complain(`${scenario.name}: ${broken}`);
    results.push(result);
  }
  if (given.json !== undefined) await writeFile(given.json, `${JSON.stringify(results, undefined, 1)}\n`);
  const held = results.every(({ broken }) => broken === undefined);
  return held && results.length > 0 ? EXIT.held : EXIT.broken;
}

interface Arguments {
  readonly kills: number;
  readonly seed: number;
  readonly only: string;
  readonly json: string | undefined;
}

function parseArguments(args: readonly string[]): Arguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        kills: { type: 'string', default: '200' },
        seed: { type: 'string', default: '1' },
        only: { type: 'string', default: '' },
        json: { type: 'string' },
      },
    });
    const [kills, seed] = [Number(values.kills), Number(values.seed)];
    if (!Number.isSafeInteger(kills) || kills < 1) return `--kills must be a positive integer, got ${values.kills}`;
    if (!Number.isSafeInteger(seed)) return `--seed must be an integer, got ${values.seed}`;
    return { kills, seed, only: values.only, json: values.json };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
