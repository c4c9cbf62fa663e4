import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Names this process in file names, so that another can tell whether it still runs: 8 hex digits of the machine, and
 * the process id. Containers share
 * host names but not process ids, so the namespace of the ids counts as part of the machine.
 */
export const processName: string = `${machineName()}-${process.pid}`;
/** The form of `processName`. */
export const PROCESS_NAME_PATTERN: RegExp = /^([0-9a-f]{8})-(\d+)$/;

function machineName(): string {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // Only Linux has namespaces.
  }
  return createHash('sha256').update(`${hostname()}\0${namespace}`).digest('hex').slice(0, 8);
}

/** Whether the process of this name runs: `undefined` if it is one of another machine. */
export function isRunning(name: string): boolean | undefined {
  const [, machine, id] = PROCESS_NAME_PATTERN.exec(name) ?? [];
  if (id === undefined || machine !== machineName()) return undefined;
  try {
    process.kill(Number(id), 0);
    return true;
  } catch (error) {
    // EPERM: it runs, under another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
