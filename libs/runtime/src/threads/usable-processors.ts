import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { cgroupQuota, type ReadSystemFile } from './cgroup-quota.ts';
import { processorList, type ProcessorTopology, processorTopology } from './processor-topology.ts';

/** Processors that this process may use. */
export interface UsableProcessors {
  /** Logical processors that it may run on. */
  readonly processors: number;
  /** CPU quota of its control groups, in processors; undefined without a limit. */
  readonly quota: number | undefined;
  /** Cores and their kinds; undefined where the system does not list processors. */
  readonly topology?: ProcessorTopology | undefined;
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
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)\s*$/m.exec(read('/proc/self/status') ?? '') ?? [];
  const allowed = processorList(list)?.length ?? parallelism();
  return { processors: Math.max(1, allowed), quota: cgroupQuota(read), topology: processorTopology(list, read) };
}

function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
