import { Blip2Error } from '@blip2/interfaces';

import { ExitCode } from './exit-code.ts';
import { oneLine } from './output/one-line.ts';

/** Any failure as users and programs see it. */
export interface Failure {
  /** A code of `Blip2Error`, a code of Node (`ENOSPC`), or `UNEXPECTED`. */
  readonly code: string;
  /** One line. */
  readonly message: string;
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof Blip2Error) return { code: error.code, message: oneLine(error.message) };
  if (!(error instanceof Error)) return { code: 'UNEXPECTED', message: oneLine(String(error)) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'UNEXPECTED';
  return { code, message: oneLine(error.message) };
}

/** The error that ended the work, where releasing things failed too and the two came as one (`SuppressedError`). */
export function originalError(error: unknown): unknown {
  return error instanceof Error && 'suppressed' in error ? originalError(error.suppressed) : error;
}

/** The exit code of a run that this error ended. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof Blip2Error && isBadUsage(error) ? ExitCode.badUsage : ExitCode.failed;
}

function isBadUsage({ code, details }: Blip2Error): boolean {
  if (code === 'INVALID_ARGUMENT' || code === 'UNKNOWN_OPTION') return true;
  // Without an argument it is a file that holds this type, not an option that asks for it.
  return (code === 'UNSUPPORTED_DTYPE' || code === 'UNSUPPORTED_DEVICE') && details.argument !== undefined;
}

/** `CODE: message`, and with `verbose` the stack of the error and of its causes. */
export function failureReport(error: unknown, verbose: boolean): string {
  const { code, message } = describeFailure(error);
  const line = `${code}: ${message}\n`;
  return verbose ? line + stackOf(error) : line;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const cause =
    error.cause === undefined
      ? ''
      : `caused by ${error.cause instanceof Error ? stackOf(error.cause) : `${String(error.cause)}\n`}`;
  return `${error.stack ?? error.message}\n${cause}`;
}
