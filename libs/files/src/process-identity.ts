import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, uptime } from 'node:os';

import { isError } from '@blip2/interfaces';

/** Number of digits of a process id in a process name. */
const ID_DIGITS = 7;
/** Pattern of `processName`. */
const PROCESS_NAME_PATTERN = /^([0-9a-f]{8})-(\d*?)(\d{1,7})$/;
/** Granularity of the time of the last boot where the system has no identifier of it, in seconds. */
const BOOT_GRAIN = 600;

/**
 * Identifies the time since the machine was started: another value after each boot. Without support of the system it
 * is derived from the clock, and may change while the machine runs.
 */
export const bootId: string = readBootId();

/**
 * Name of this process for use in file names, so that other processes can tell whether it is still running: 8
 * hexadecimal digits for the machine, then the start time of the process (Linux only) and its id in 7 digits.
 * Containers share host names but not process ids, so the PID namespace counts as part of the machine; a restarted
 * container reuses both, so the start time counts too.
 */
export const processName: string = `${machineName()}-${nameOf(process.pid)}`;

/** The process id in a name of a process. */
export function processIdOf(name: string): number {
  return Number((name.split('-')[1] ?? '').slice(-ID_DIGITS));
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return String(Math.round((Date.now() / 1000 - uptime()) / BOOT_GRAIN));
  }
}

function machineName(): string {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // Only Linux has namespaces.
  }
  return createHash('sha256').update([hostname(), namespace, bootId].join('\0')).digest('hex').slice(0, 8);
}

function nameOf(id: number): string {
  const start = readStatus(id)?.start ?? '';
  return start === '' ? String(id) : `${start}${String(id).padStart(ID_DIGITS, '0')}`;
}

/** Fields of `/proc/ID/stat`; undefined if it cannot be read. The name of the program may contain any character. */
function readStatus(id: number): { readonly state: string; readonly start: string } | undefined {
  try {
    const text = readFileSync(`/proc/${id}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', start: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** Whether the process with this name is running; `undefined` if it belongs to another machine or is not a name. */
export function isRunning(name: string): boolean | undefined {
  const [, machine, start, id] = PROCESS_NAME_PATTERN.exec(name) ?? [];
  if (id === undefined || machine !== machineName()) return undefined;
  const status = readStatus(Number(id));
  // A killed process keeps its id until its parent has read its exit status.
  if (status && (/^[ZX]/.test(status.state) || (start !== '' && status.start !== start))) return false;
  try {
    process.kill(Number(id), 0);
    return true;
  } catch (error) {
    // EPERM: it is running as another user.
    return isError(error) && 'code' in error && error.code === 'EPERM';
  }
}
