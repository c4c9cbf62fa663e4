import { ExitCode } from './exit-code.ts';
import { failureReport } from './failure.ts';

/**
 * Ends the process with code 1 and a report on an unhandled error. Node's own handling would abort the process, and
 * lose the exit code, if a worker thread is running native code. So this waits until no inference runs.
 */
export function endOnFatalErrors(argv: readonly string[]): void {
  process.on('uncaughtException', async (error) => {
    process.stderr.write(failureReport(error, argv.includes('--verbose')));
    const { exitWhenIdle } = await import('@blip2/runtime');
    await exitWhenIdle(ExitCode.failed);
  });
}
