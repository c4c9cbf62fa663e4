import { ExitCode } from './exit-code.ts';
import { failureReport } from './failure.ts';

/**
 * Ends the process with code 1 and a report on an unhandled error, and with its code on `process.exit`, which code of a
 * `--module` may call. Node's own handling of both aborts the process, and loses the exit code, if a worker thread is
 * running native code. So both wait until no inference runs.
 */
export function endOnFatalErrors(argv: readonly string[]): void {
  const exit = process.exit;
  let isEnding = false;
  const endWhenIdle = async (code: number): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    process.exit = exit;
    const { exitWhenIdle } = await import('@blip2/runtime');
    await exitWhenIdle(code);
  };
  process.exit = (code) => {
    void endWhenIdle(Number(code ?? process.exitCode ?? ExitCode.done));
    // `process.exit` never returns.
    throw new ExitRequested();
  };
  process.on('uncaughtException', (error) => {
    if (error instanceof ExitRequested) return;
    process.stderr.write(failureReport(error, argv.includes('--verbose')));
    void endWhenIdle(ExitCode.failed);
  });
}

/** Thrown by `process.exit` while it waits. */
class ExitRequested extends Error {
  override readonly name: string = 'ExitRequested';
}
