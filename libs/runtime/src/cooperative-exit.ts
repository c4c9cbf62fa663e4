import { openLinks } from './worker-link.ts';

/**
 * Ends every part worker of this process: each finishes its run, refuses what is queued (DISPOSED), disposes of its
 * parts and exits. Never rejects. What `process.exit` must wait for: during a run it aborts the process (SIGABRT).
 */
export async function endPartWorkers(): Promise<void> {
  while (openLinks.size > 0) await Promise.allSettled([...openLinks].map((link) => link.end()));
}

/**
 * `process.exit(code)` as soon as no run is in progress in any part worker. For the first Ctrl-C and for fatal errors.
 */
export async function exitWhenIdle(code: number): Promise<never> {
  await endPartWorkers();
  process.exit(code);
}

/**
 * Ends the process at once, even during a run, by the default action of SIGINT: a shell sees 130, nothing is aborted
 * and no `exit` listener runs. For the second Ctrl-C.
 */
export function exitNow(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}
