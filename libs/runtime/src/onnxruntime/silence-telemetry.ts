/**
 * Disables the telemetry of onnxruntime 1.30 with `ORT_DISABLE_TELEMETRY=1`, unless the variable has a value.
 *
 * Otherwise onnxruntime reads the machine id, writes a log to the temporary folder and a database to the home folder,
 * and matches the command line against a regular expression that overflows the stack at about 16,000 characters, which
 * crashes the process. The variable is read when the first session is created. Call this on the main thread: native
 * code does not see the environment of a worker, which is a copy.
 */
export function silenceTelemetry(): void {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
}
