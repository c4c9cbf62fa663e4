import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { ExitResult } from '../exits/run-exits.ts';
import type { TargetResult } from '../fuzz/run-target.ts';
import type { KillResult } from '../kills/run-kills.ts';
import { type PromiseArea, readPromises } from './promise.ts';
import { type PromiseMutant, readPromiseMutants } from './promise-mutant.ts';

/** Results of the last recorded runs. The path is the same from `src` and `dist`. */
const RESULTS_FOLDER: string = join(import.meta.dirname, '../../results');
const MARKERS = ['<!-- promises -->', '<!-- /promises -->'] as const;

/** A recorded run of `npm run promise-mutants`. */
type MutantRow = Pick<PromiseMutant, 'name'> & { readonly noticed: boolean };

/** What `docs/reliability.md` states. */
export interface ReliabilityData {
  readonly areas: readonly PromiseArea[];
  readonly mutants: readonly PromiseMutant[];
  readonly noticed: readonly MutantRow[];
  readonly fuzz: readonly TargetResult[];
  readonly kills: readonly KillResult[];
  readonly exits: readonly ExitResult[];
}

/** Reads the committed promises, mutants and results. */
export async function readReliabilityData(): Promise<ReliabilityData> {
  const result = async <T>(name: string): Promise<readonly T[]> =>
    JSON.parse(await readFile(join(RESULTS_FOLDER, name), 'utf8').catch(() => '[]')) as readonly T[];
  return {
    areas: await readPromises(),
    mutants: await readPromiseMutants(),
    noticed: await result<MutantRow>('promise-mutants.json'),
    fuzz: await result<TargetResult>('fuzz.json'),
    kills: await result<KillResult>('kills.json'),
    exits: await result<ExitResult>('exits.json'),
  };
}

/** The document with its tables replaced. */
export function withTables(document: string, data: ReliabilityData): string {
  const [begin, end] = MARKERS;
  const [before = '', rest = ''] = document.split(begin);
  const after = rest.split(end)[1] ?? '';
  return `${before}${begin}\n\n${tables(data)}\n\n${end}${after}`;
}

function tables(data: ReliabilityData): string {
  return [measured(data), ...data.areas.map((area) => areaTable(area, data))].join('\n\n');
}

function measured({ fuzz, kills, exits, mutants, noticed }: ReliabilityData): string {
  const cases = fuzz.reduce((sum, result) => sum + result.cases, 0);
  const fuzzRows = fuzz.map(({ target, promise, cases, outcomes, slowestMs, grownMiB, broken }) => [
    `\`${target}\``,
    promise,
    grouped(cases),
    grouped(outcomes['accepted'] ?? 0),
    broken === undefined ? 'held' : 'broken',
    `${slowestMs} ms`,
    `${grownMiB} MiB`,
  ]);
  const killRows = kills.map(({ scenario, promise, kills, rounds, broken }) => [
    `\`${scenario}\``,
    promise,
    grouped(kills),
    grouped(rounds),
    broken === undefined ? 'held' : 'broken',
  ]);
  const exitRows = exits.map(({ scenario, promise, runs, broken }) => [
    `\`${scenario}\``,
    promise,
    grouped(runs),
    broken === undefined ? 'held' : 'broken',
  ]);
  const known = new Set(mutants.map(({ name }) => name));
  const tried = noticed.filter((row) => known.has(row.name));
  const count = tried.filter((row) => row.noticed).length;
  return [
    '## Measured',
    `${grouped(cases)} generated cases (\`npm run attack\`):`,
    table(['target', 'promise', 'cases', 'accepted', 'result', 'slowest case (CPU)', 'memory growth'], fuzzRows),
    'Jobs that were killed at random moments (`npm run kills`):',
    table(['job', 'promise', 'kills', 'finished rounds', 'result'], killRows),
    'Programs that ended themselves at random moments while parts ran (`npm run exits`):',
    table(['program', 'promise', 'runs', 'result'], exitRows),
    noticed.length === 0
      ? `${mutants.length} mutants remove the check behind a promise (\`npm run promise-mutants\`). ` +
        'No run of all is recorded.'
      : 'Mutants that remove the check behind a promise (`npm run promise-mutants`): ' +
        `${count} of the ${tried.length} that recorded runs have tried fail a test; there are ${mutants.length}.`,
  ].join('\n\n');
}

function areaTable({ area, promises }: PromiseArea, { mutants }: ReliabilityData): string {
  const tests = new Set(promises.map(({ test }) => test));
  const count = mutants.filter(({ test }) => tests.has(test)).length;
  return [
    `## ${area}`,
    table(
      ['promise', 'test'],
      promises.map(({ promise, test, title }) => [promise, `[${title}](../${test})`]),
    ),
    `${count} mutants in [tools/attack/mutants](../tools/attack/mutants) fail these test files.`,
  ].join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
