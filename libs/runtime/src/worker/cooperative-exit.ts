import { openLinks } from './part-link.ts';

/**
 * Ends every part worker of this process: each finishes its run, rejects queued calls with `DISPOSED`, disposes of its
 * parts and exits. Never rejects. Await it before `process.exit`, which aborts the process (SIGABRT) during a run.
 */
export async function endPartWorkers(): Promise<void> {
  while (openLinks.size > 0) await Promise.allSettled([...openLinks].map((link) => link.end()));
}

/**
 * Calls `process.exit(code)` once no part worker has a run in progress. Meant for the first Ctrl-C and for fatal
 * errors.
 */
export async function exitWhenIdle(code: number): Promise<never> {
  await endPartWorkers();
  process.exit(code);
}

/**
 * Ends the process immediately, even during a run, by the default action of SIGINT: the exit code is 130, the process
 * does not abort, and no `exit` listener is called. Meant for the second Ctrl-C.
 */
export function exitNow(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}
