import { isMainThread } from 'node:worker_threads';

import { guardThreads, isUnguardedThread } from '../worker/exit-guard.ts';

const VARIABLE = 'ORT_DISABLE_TELEMETRY';

/** The environment variable that disables the telemetry of onnxruntime. */
export const SILENT_TELEMETRY: Readonly<Record<string, string>> = { [VARIABLE]: '1' };

/**
 * Disables the telemetry of onnxruntime 1.30 with `ORT_DISABLE_TELEMETRY=1`, unless the variable has a value.
 *
 * Otherwise onnxruntime reads the machine id, writes a log to the temporary folder and a database to the home folder,
 * and matches the command line against a regular expression that overflows the stack at about 16,000 characters, which
 * crashes the process. The variable is read when the first session is created. Only the main thread can set it: native
 * code does not see the environment of a thread, which is a copy.
 */
export function silenceTelemetry(): void {
  if (!isMainThread) return;
  process.env[VARIABLE] ??= '1';
  guardThreads();
}

/**
 * Whether onnxruntime must not be loaded in this thread, but in a child process: the main thread has not called
 * `silenceTelemetry` before it started the thread. Telemetry may then be enabled, and the end of the process during a
 * run would abort it.
 */
export function needsChildProcess(): boolean {
  return isUnguardedThread();
}
