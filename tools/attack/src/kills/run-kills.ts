import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { BrokenPromise } from '../fuzz/broken-promise.ts';
import type { KillScenario, OpenKillScenario } from './kill-scenario.ts';

export interface KillResult {
  readonly scenario: string;
  readonly promise: string;
  /** Processes that were killed while they ran. */
  readonly kills: number;
  /** Times that the job was finished and verified. */
  readonly rounds: number;
  /** What was wrong, or `undefined`. */
  readonly broken: string | undefined;
}

/** Rounds in which the job may finish before its kill without a kill, until a scenario counts as too short. */
const MAX_IDLE_ROUNDS = 50;

/** Kills the job with SIGKILL at random moments of its duration until `kills` processes were killed. */
export async function runKills(
  scenario: KillScenario,
  { kills, random }: { readonly kills: number; readonly random: () => number },
): Promise<KillResult> {
  await using open = await scenario.open();
  const result = { scenario: scenario.name, promise: scenario.promise };
  await open.reset();
  const begun = performance.now();
  await runUntil(open, undefined);
  const duration = performance.now() - begun;
  let broken = await open.verify();
  let [killed, rounds, idle] = [0, 1, 0];
  while (broken === undefined && killed < kills && idle < MAX_IDLE_ROUNDS) {
    await open.reset();
    const before = killed;
    while (killed < kills && (await runUntil(open, random() * duration)) === 'killed') killed++;
    if (killed >= kills) await runUntil(open, undefined);
    broken = await open.verify();
    rounds++;
    idle = killed === before ? idle + 1 : 0;
  }
  if (idle >= MAX_IDLE_ROUNDS) broken ??= `${idle} rounds without a kill: the job is too short`;
  return { ...result, kills: killed, rounds, broken };
}

/** Starts the job, and kills it after some milliseconds unless it has finished. */
async function runUntil({ command, env }: OpenKillScenario, killAfter: number | undefined): Promise<'killed' | 'done'> {
  const [program, ...args] = command;
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const timer = new AbortController();
  if (killAfter !== undefined)
    void sleep(killAfter, undefined, { signal: timer.signal }).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    );
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  timer.abort();
  if (signal === 'SIGKILL') return 'killed';
  if (code !== 0) throw new BrokenPromise(`the job ended with ${code ?? signal}: ${complaints}`);
  return 'done';
}
