import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { type ExitScenario, LOUD_ERROR } from './exit-scenario.ts';

export interface ExitResult {
  readonly scenario: string;
  readonly promise: string;
  readonly runs: number;
  /** What was wrong, or `undefined`. */
  readonly broken: string | undefined;
}

/** Loading and some captions take this long in milliseconds. */
const MAX_DELAY = 1500;
/** Milliseconds after which a program that has not ended counts as hanging. */
const MAX_RUN = 60_000;
/** Default of `maxLeftMs`. */
const MAX_LEFT_MS = 10_000;
/** Environment variable by which the processes of one run are recognized. */
const MARK = 'BLIP2_EXIT_RUN';

export interface ExitRuns {
  readonly runs: number;
  /** Numbers in [0, 1), for the moments. */
  readonly random: () => number;
  /** Arguments of Node.js; where the parts run, how the program ends and when are appended. */
  readonly args: readonly string[];
  /** Milliseconds in which child processes notice that their parent has ended. */
  readonly maxLeftMs?: number;
}

/** Runs the program until it ends itself at a random moment, `runs` times or until something is wrong. */
export async function runExits(
  scenario: ExitScenario,
  { runs, random, args, maxLeftMs = MAX_LEFT_MS }: ExitRuns,
): Promise<ExitResult> {
  const { name, promise } = scenario;
  for (let run = 1; run <= runs; run++) {
    const broken = await runOnce(scenario, { delay: Math.floor(random() * MAX_DELAY), args, maxLeftMs });
    if (broken !== undefined) return { scenario: name, promise, runs: run, broken };
  }
  return { scenario: name, promise, runs, broken: undefined };
}

async function runOnce(
  { way, place, exitCode }: ExitScenario,
  { delay, args, maxLeftMs }: Required<Pick<ExitRuns, 'args' | 'maxLeftMs'>> & { readonly delay: number },
): Promise<string | undefined> {
  const mark = randomUUID();
  const child = spawn(process.execPath, [...args, place, way, String(delay)], {
    env: { ...process.env, [MARK]: mark },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: MAX_RUN,
    killSignal: 'SIGKILL',
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  const at = `after ${delay} ms`;
  if (signal !== null) return `ended by ${signal} ${at}: ${complaints}`;
  if (code !== exitCode) return `ended with ${code} instead of ${exitCode} ${at}: ${complaints}`;
  if (way !== 'exit' && !complaints.includes(LOUD_ERROR)) return `the error was not shown ${at}: ${complaints}`;
  const until = performance.now() + maxLeftMs;
  while (await isRunning(mark)) {
    if (performance.now() > until) return `a process stayed ${at}`;
    await sleep(50);
  }
  return undefined;
}

/** Whether a process of this run exists; false where the system does not list environments. */
async function isRunning(mark: string): Promise<boolean> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const environments = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')));
  return environments.some((text) => text.includes(`${MARK}=${mark}`));
}
