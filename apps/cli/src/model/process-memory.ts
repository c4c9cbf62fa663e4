import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessMemory {
  /** Peak resident memory so far, including mapped files. With child processes, the sum of their peaks. */
  readonly peakMiB: number;
  /**
   * Resident memory without mapped files: those belong to the file cache, which the system frees when memory is short.
   * All resident memory on systems that do not report it.
   */
  readonly rssAnonMiB: number;
}

/** Measures the memory of this process and its child processes; the latter only on systems with /proc. */
export function processMemory(): ProcessMemory {
  const own = textOf('/proc/self/status');
  const { maxRSS } = process.resourceUsage();
  const children = childProcesses().map((pid) => textOf(`/proc/${pid}/status`));
  const sum = (name: string): number =>
    children.reduce((total, status) => total + (kibibytes(status, name) ?? 0), 0) / 2 ** 10;
  return {
    peakMiB: (kibibytes(own, 'VmHWM') ?? maxRSS) / 2 ** 10 + sum('VmHWM'),
    rssAnonMiB: (kibibytes(own, 'RssAnon') ?? process.memoryUsage().rss / 2 ** 10) / 2 ** 10 + sum('RssAnon'),
  };
}

function kibibytes(status: string, name: string): number | undefined {
  const text = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
  return text === undefined ? undefined : Number(text);
}

/** Process ids. Each thread lists the processes that it has started. */
function childProcesses(): readonly string[] {
  try {
    return readdirSync('/proc/self/task').flatMap((thread) =>
      textOf(`/proc/self/task/${thread}/children`)
        .split(' ')
        .filter((pid) => pid.trim() !== ''),
    );
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
