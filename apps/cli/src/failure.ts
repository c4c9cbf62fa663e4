import { Blip2Error } from '@blip2/interfaces';

import { ExitCode } from './exit-code.ts';
import { oneLine } from './output/display-text.ts';

/** Code and message of an error, as written to stderr and to JSON lines. */
export interface Failure {
  /** A code of `Blip2Error`, a code of Node (`ENOSPC`), or `UNEXPECTED`. */
  readonly code: string;
  /** One line. */
  readonly message: string;
}

/** Converts any thrown value to a `Failure`. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof Blip2Error) return { code: error.code, message: oneLine(error.message) };
  if (!(error instanceof Error)) return { code: 'UNEXPECTED', message: oneLine(String(error)) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'UNEXPECTED';
  // Node's messages begin with the code.
  const message = error.message.startsWith(`${code}: `) ? error.message.slice(code.length + 2) : error.message;
  return { code, message: oneLine(message) };
}

/** The first error, if disposing failed too and Node combined both in a `SuppressedError`. */
export function originalError(error: unknown): unknown {
  return error instanceof Error && 'suppressed' in error ? originalError(error.suppressed) : error;
}

/** The exit code of a run that ended with this error. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof Blip2Error && isBadUsage(error) ? ExitCode.badUsage : ExitCode.failed;
}

function isBadUsage({ code, details }: Blip2Error): boolean {
  if (code === 'INVALID_ARGUMENT' || code === 'UNKNOWN_OPTION') return true;
  // Without an argument the error is about a file with this data type, not about an option.
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
  const stack = `${error.stack ?? error.message}\n`;
  if (error.cause === undefined) return stack;
  return `${stack}caused by ${error.cause instanceof Error ? stackOf(error.cause) : `${String(error.cause)}\n`}`;
}
