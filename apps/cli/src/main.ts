import type { Writable } from 'node:stream';

import { CommanderError } from 'commander';

import type { Environment } from './environment.ts';
import { ExitCode } from './exit-code.ts';
import { exitCodeOf, failureReport, originalError } from './failure.ts';
import { writeFailed } from './output/write-failed.ts';
import { processEnvironment } from './process-environment.ts';
import { createProgram } from './program.ts';
import { interruptedExitCode, isAbort } from './run/interruption.ts';

/** Runs one command line, without the program's name, and returns the exit code. Never throws. */
export async function main(argv: readonly string[], environment: Environment = processEnvironment): Promise<ExitCode> {
  // The reader of a pipe may close it at any time. Writes that must know get the error in their callback.
  const lost: unknown[] = [];
  environment.stdout.on('error', (error) => void lost.push(error));
  environment.stderr.on('error', () => {});
  try {
    const exitCode = await runCommand(argv, environment);
    await flushed(environment.stdout);
    const failure = [...lost, environment.stdout.errored].find((error) => error && !isClosedPipe(error));
    if (failure) throw writeFailed('stdout', failure);
    return exitCode === ExitCode.interrupted ? interruptedExitCode(environment) : exitCode;
  } catch (caught) {
    const error = originalError(caught);
    if (error instanceof CommanderError) return ExitCode.badUsage;
    if (isClosedPipe(error)) return ExitCode.done;
    if (isAbort(error)) return interruptedExitCode(environment);
    environment.stderr.write(failureReport(error, argv.includes('--verbose')));
    return exitCodeOf(error);
  }
}

async function runCommand(argv: readonly string[], environment: Environment): Promise<ExitCode> {
  const codes: ExitCode[] = [];
  try {
    await createProgram(environment, (code) => void codes.push(code)).parseAsync([...argv], { from: 'user' });
  } catch (error) {
    // Help and versions.
    if (!(error instanceof CommanderError && error.exitCode === 0)) throw error;
  }
  return codes[0] ?? ExitCode.done;
}

/** Waits until everything is written, or the stream has failed. */
async function flushed(stream: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    if (stream.destroyed || stream.errored) setImmediate(resolve);
    else stream.write('', () => resolve());
  });
}

/** A pipe that its reader closed, as `| head` does. Not a failure. */
function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
