/**
 * onnxruntime 1.30 tells its makers about machine and use unless this variable is set: it reads the machine's id,
 * writes a log into the temporary folder and a database into the
 * home folder, and puts the command line through a regular expression that overflows the stack at some 16,000
 * characters, which ends the process. It reads the variable at the first
 * session. Has to be called in the main thread: the environment of a worker is a copy that native code does not see. A
 * value that is there already is left alone.
 */
export function silenceTelemetry(): void {
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
}
