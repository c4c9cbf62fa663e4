import { ExitCode } from './exit-code.ts';
import { failureReport } from './failure.ts';

/**
 * Ends the process with code 1 and a report when an error has no handler. Left to Node, it would abort the process if a
 * worker thread is in native
 * code, and the exit code would be lost: so runs are waited for.
 */
export function endOnFatalErrors(argv: readonly string[]): void {
  process.on('uncaughtException', async (error) => {
    process.stderr.write(failureReport(error, argv.includes('--verbose')));
    const { exitWhenIdle } = await import('@blip2/runtime');
    await exitWhenIdle(ExitCode.failed);
  });
}
