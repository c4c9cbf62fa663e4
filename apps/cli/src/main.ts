import { CommanderError } from 'commander';

import type { Environment } from './environment.ts';
import { ExitCode } from './exit-code.ts';
import { exitCodeOf, failureReport, originalError } from './failure.ts';
import { processEnvironment } from './process-environment.ts';
import { createProgram } from './program.ts';
import { interruptedExitCode, isAbort } from './run/interruption.ts';

/** Runs one command line, without the program's name, and returns the exit code. Never throws. */
export async function main(argv: readonly string[], environment: Environment = processEnvironment): Promise<ExitCode> {
  // The reader of a pipe may close it at any time. Writes that must know get the error in their callback.
  const ignore = (): void => {};
  environment.stdout.on('error', ignore);
  environment.stderr.on('error', ignore);
  const codes: ExitCode[] = [];
  try {
    await createProgram(environment, (code) => void codes.push(code)).parseAsync([...argv], { from: 'user' });
    const [exitCode = ExitCode.done] = codes;
    return exitCode === ExitCode.interrupted ? interruptedExitCode(environment) : exitCode;
  } catch (caught) {
    const error = originalError(caught);
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.badUsage;
    if (isClosedPipe(error)) return ExitCode.done;
    if (isAbort(error)) return interruptedExitCode(environment);
    environment.stderr.write(failureReport(error, argv.includes('--verbose')));
    return exitCodeOf(error);
  }
}

/** A pipe that its reader closed, as `| head` does. Not a failure. */
function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
