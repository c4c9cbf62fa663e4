import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

import { isError } from '@blip2/interfaces';

/**
 * Name of this process for use in file names, so that other processes can tell whether it is still running: 8
 * hexadecimal digits for the machine, and the process id. Containers share host names but not process ids, so the PID
 * namespace counts as part of the machine.
 */
export const processName: string = `${machineName()}-${process.pid}`;
/** Pattern of `processName`. */
const PROCESS_NAME_PATTERN = /^([0-9a-f]{8})-(\d+)$/;

function machineName(): string {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // Only Linux has namespaces.
  }
  return createHash('sha256').update(`${hostname()}\0${namespace}`).digest('hex').slice(0, 8);
}

/** Whether the process with this name is running; `undefined` if it belongs to another machine or is not a name. */
export function isRunning(name: string): boolean | undefined {
  const [, machine, id] = PROCESS_NAME_PATTERN.exec(name) ?? [];
  if (id === undefined || machine !== machineName()) return undefined;
  try {
    process.kill(Number(id), 0);
    return true;
  } catch (error) {
    // EPERM: it is running as another user.
    return isError(error) && 'code' in error && error.code === 'EPERM';
  }
}
