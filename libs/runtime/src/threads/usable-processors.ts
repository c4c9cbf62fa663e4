import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { cgroupQuota, type ReadSystemFile } from './cgroup-quota.ts';

/** Processors that this process may use. */
export interface UsableProcessors {
  /** Logical processors that it may run on. */
  readonly processors: number;
  /** CPU quota of its control groups, in processors; undefined without a limit. */
  readonly quota: number | undefined;
}

export interface ProcessorFacts {
  /** Default: the system's files. */
  readonly read?: ReadSystemFile;
  /** Default: `os.availableParallelism()`. */
  readonly parallelism?: () => number;
}

/**
 * Counts the processors that this process may use. On Linux the kernel lists them: Node's own count rounds a quota of
 * 1.5 processors down to 1 since libuv 1.49, and ignored quotas before.
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
