import { readFileSync } from 'node:fs';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const VARIABLE = 'ORT_DISABLE_TELEMETRY';
/** Key of the data that tells threads what their process has set. */
const SILENCED = '@blip2/runtime: telemetry';

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
  setEnvironmentData(SILENCED, true);
}

/**
 * Whether this is a thread in which onnxruntime would send telemetry: the main thread has not loaded this package
 * before it started the thread, and the variable is not in the environment that the process was started with.
 */
export function hasTelemetry(): boolean {
  return !isMainThread && getEnvironmentData(SILENCED) !== true && !isInitiallySet();
}

/** Whether the process was started with a value of the variable. False where this cannot be determined. */
function isInitiallySet(): boolean {
  try {
    return readFileSync('/proc/self/environ', 'latin1')
      .split('\0')
      .some((entry) => entry.startsWith(`${VARIABLE}=`));
  } catch {
    return false;
  }
}
