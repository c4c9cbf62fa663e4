import type { ReadSystemFile } from './cgroup-quota.ts';

/** Processors of one kind of core, such as the performance cores of a hybrid processor. */
export interface CoreKind {
  /** `cpu_core`, `cpu_atom` or `cpu_lowpower` (Intel), `capacity 1024` (Arm); `core` if all are alike. */
  readonly name: string;
  /** Physical cores that this process may run on. */
  readonly cores: number;
  /** Logical processors that this process may run on. */
  readonly processors: number;
}

/** The processors that this process may run on, as the system describes them. A hypervisor may hide the truth. */
export interface ProcessorTopology {
  /** List of processors, such as `0-3,8`. */
  readonly allowed: string;
  /** Fastest first. */
  readonly kinds: readonly CoreKind[];
}

const CPUS = '/sys/devices/system/cpu';
/** Devices of Intel's kinds of cores, fastest first. They exist only in hybrid processors. */
const INTEL_KINDS = ['cpu_core', 'cpu_atom', 'cpu_lowpower'] as const;
/** More processors than any machine has; longer lists are damaged. */
const MAX_PROCESSORS = 65_536;

/**
 * Groups processors by core and by kind of core.
 *
 * Source: `Documentation/ABI/testing/sysfs-devices-system-cpu` of Linux (`thread_siblings_list`, `cpu_capacity`), and
 * `/sys/devices/cpu_core/cpus` of its perf events for hybrid processors.
 */
export function processorTopology(allowed: string, read: ReadSystemFile): ProcessorTopology | undefined {
  const processors = processorList(allowed);
  if (!processors || processors.length === 0) return undefined;
  const kindOf = kindsOfIntel(read) ?? kindsOfArm(read);
  const kinds = new Map<string, { readonly rank: number; readonly cores: Set<string>; processors: number }>();
  for (const processor of processors) {
    const { name, rank } = kindOf(processor);
    const kind = kinds.get(name) ?? { rank, cores: new Set(), processors: 0 };
    kinds.set(name, kind);
    kind.cores.add(read(`${CPUS}/cpu${processor}/topology/thread_siblings_list`)?.trim() ?? String(processor));
    kind.processors++;
  }
  const sorted = [...kinds]
    .sort(([, a], [, b]) => b.rank - a.rank)
    .map(([name, kind]) => ({ name, cores: kind.cores.size, processors: kind.processors }));
  return { allowed, kinds: sorted.length === 1 ? sorted.map((kind) => ({ ...kind, name: 'core' })) : sorted };
}

/** `0-3,8` → 0, 1, 2, 3, 8. Undefined for anything else. */
export function processorList(list: string): readonly number[] | undefined {
  if (!/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(list)) return undefined;
  const processors: number[] = [];
  for (const range of list.split(',')) {
    const [first = NaN, last = first] = range.split('-').map(Number);
    if (!(first <= last && last < MAX_PROCESSORS)) return undefined;
    for (let processor = first; processor <= last; processor++) processors.push(processor);
  }
  return processors;
}

type KindOf = (processor: number) => { readonly name: string; readonly rank: number };

function kindsOfIntel(read: ReadSystemFile): KindOf | undefined {
  const kinds = INTEL_KINDS.flatMap((name, at) => {
    const members = processorList(read(`/sys/devices/${name}/cpus`)?.trim() ?? '');
    return members ? [{ name, rank: -at, members: new Set(members) }] : [];
  });
  if (kinds.length < 2) return undefined;
  return (processor) => kinds.find(({ members }) => members.has(processor)) ?? { name: 'core', rank: -kinds.length };
}

/** Capacity relative to the fastest core, which has 1024. All are alike where the system states none. */
function kindsOfArm(read: ReadSystemFile): KindOf {
  return (processor) => {
    const capacity = Number(read(`${CPUS}/cpu${processor}/cpu_capacity`)?.trim() || NaN);
    return Number.isInteger(capacity) ? { name: `capacity ${capacity}`, rank: capacity } : { name: 'core', rank: 0 };
  };
}
