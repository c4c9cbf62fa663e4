import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { Blip2Error } from '@blip2/interfaces';

import { ExitCode } from '../../exit-code.ts';
import type { BenchJob, BenchResult } from './bench-job.ts';

const PROGRAM = fileURLToPath(new URL('./bench-process.js', import.meta.url));

export interface BenchProcessSettings {
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly signal: AbortSignal;
}

/** Measures in a separate process. If that fails, it reports the error on stderr, and its exit code is returned. */
export async function runBenchProcess(
  job: BenchJob,
  { signal, ...report }: BenchProcessSettings,
): Promise<BenchResult | ExitCode> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(job), JSON.stringify(report)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
    const [code, killedBy] = await new Promise<[code: number | null, signal: NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.on('error', reject).on('close', (...end) => resolve(end));
      },
    );
    signal.throwIfAborted();
    if (killedBy !== null)
      throw new Blip2Error('WORKER_FAILED', 'The measuring process was killed', {
        where: job.dtype,
        got: killedBy,
        fix: 'If it ran out of memory, try --dtype small',
      });
    if (code === 0) return JSON.parse(stdout) as BenchResult;
    return code === ExitCode.badUsage ? ExitCode.badUsage : ExitCode.failed;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
