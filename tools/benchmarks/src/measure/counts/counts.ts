import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { repositoryPath, resultPath } from '../../repository.ts';
import { resultText } from '../json-program.ts';
import { type LoadedModules, loadedModules } from './loaded-modules.ts';
import { type OperatorCounts, operatorCounts } from './operators.ts';
import { type SecondCaption, secondCaption } from './second-caption.ts';

/** Counts that speed depends on, and that do not depend on the machine. */
export interface Counts {
  readonly command: string;
  readonly modules: LoadedModules;
  readonly secondCaption: SecondCaption;
  readonly operators: Readonly<Record<string, OperatorCounts>>;
}

const FILE = resultPath('counts.json');
const COMMAND = 'npm run counts -- --write';
/** Factor by which counts that vary may exceed the recorded ones. Bytes include times, whose length varies. */
const TOLERANCE = { bytes: 1.05, pageFaults: 4 };
/** Page faults that are always accepted: a garbage collection may cause hundreds. */
const PAGE_FAULTS = 2000;

/**
 * Counts operators, sessions, bytes and modules, and compares them with the recorded ones; more of any, or other
 * operators, are differences. `--write` records them.
 */
export async function command(args: readonly string[]): Promise<void> {
  const counts = await measure();
  if (args.includes('--write')) {
    writeFileSync(FILE, resultText(counts));
    console.log(`written: ${FILE.slice(repositoryPath('').length)}`);
    return;
  }
  const found = differences(JSON.parse(readFileSync(FILE, 'utf8')) as Counts, counts);
  for (const line of found) console.log(line);
  console.log(`${found.length} differences from ${FILE.slice(repositoryPath('').length)}`);
  if (found.length > 0) console.log(`If they are intended: ${COMMAND}`);
  process.exitCode = found.length > 0 ? 1 : 0;
}

async function measure(): Promise<Counts> {
  const convertedDir = mkdtempSync(join(tmpdir(), 'blip2-counts-'));
  try {
    return {
      command: COMMAND,
      modules: loadedModules(),
      secondCaption: await secondCaption(),
      operators: await operatorCounts(convertedDir),
    };
  } finally {
    rmSync(convertedDir, { recursive: true, force: true });
  }
}

/** What got worse, or changed: one line each. */
export function differences(recorded: Counts, now: Counts): string[] {
  const [before, after] = [recorded.secondCaption, now.secondCaption];
  const graphs = new Set([...Object.keys(recorded.operators), ...Object.keys(now.operators)]);
  return [
    ...exceeded('modules of the main thread', recorded.modules.main, now.modules.main),
    ...exceeded('modules of the workers', recorded.modules.workers, now.modules.workers),
    ...exceeded('sessions opened by a second caption', before.sessionsOpened, after.sessionsOpened),
    ...exceeded('bytes read by a second caption', before.bytesRead ?? Infinity, after.bytesRead ?? 0, TOLERANCE.bytes),
    ...exceeded('bytes to the workers', before.bytesToWorkers, after.bytesToWorkers, TOLERANCE.bytes),
    ...exceeded('bytes from the workers', before.bytesFromWorkers, after.bytesFromWorkers, TOLERANCE.bytes),
    ...exceeded(
      'page faults of a second caption',
      Math.max(before.pageFaults, PAGE_FAULTS),
      after.pageFaults,
      TOLERANCE.pageFaults,
    ),
    ...[...graphs].flatMap((graph) => operatorDifferences(graph, recorded.operators[graph], now.operators[graph])),
  ];
}

function exceeded(what: string, recorded: number, now: number, factor = 1): string[] {
  return now > recorded * factor ? [`${what}: ${now}, recorded: ${recorded}`] : [];
}

function operatorDifferences(graph: string, recorded: OperatorCounts = {}, now: OperatorCounts = {}): string[] {
  const names = new Set([...Object.keys(recorded), ...Object.keys(now)]);
  return [...names]
    .filter((name) => recorded[name] !== now[name])
    .map((name) => `${graph}: ${now[name] ?? 0} ${name}, recorded: ${recorded[name] ?? 0}`);
}
