import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { cgroupQuota, type ReadSystemFile } from './cgroup-quota.ts';

/** What this process may use of the machine. */
export interface UsableProcessors {
  /** Logical processors that it may run on. */
  readonly processors: number;
  /** How many of them its control groups let it use on average; nothing if there is no such limit. */
  readonly quota: number | undefined;
}

export interface ProcessorFacts {
  /** Default: the system's files. */
  readonly read?: ReadSystemFile;
  /** Default: `os.availableParallelism()`. */
  readonly parallelism?: () => number;
}

/**
 * How many processors this process may use. On Linux the kernel is asked which ones: Node's own count rounds a quota of
 * 1.5 processors down to 1 from libuv 1.49 on, and before that leaves quotas out.
 */
export function usableProcessors({
  read = readSystemFile,
  parallelism = availableParallelism,
}: ProcessorFacts = {}): UsableProcessors {
  const processors = Math.max(1, allowedProcessors(read('/proc/self/status') ?? '') ?? parallelism());
  return { processors, quota: cgroupQuota(read) };
}

/** `Cpus_allowed_list: 0-3,8` are five. */
function allowedProcessors(status: string): number | undefined {
  const [, list] = /^Cpus_allowed_list:\s*(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)\s*$/m.exec(status) ?? [];
  if (list === undefined) return undefined;
  const counts = list.split(',').map((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return first === undefined || last === undefined ? NaN : last - first + 1;
  });
  const sum = counts.reduce((total, count) => total + count, 0);
  return Number.isInteger(sum) && sum > 0 ? sum : undefined;
}

function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
