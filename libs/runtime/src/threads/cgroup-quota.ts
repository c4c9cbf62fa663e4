import { posix } from 'node:path';

/** The text of a file of the system; nothing if it cannot be read. */
export type ReadSystemFile = (path: string) => string | undefined;

/** Where version 1 mounts the controller of processor time: alone, or together with its accounting. */
const VERSION_1 = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct'];
/** Where version 2 is mounted: alone, or next to version 1. */
const VERSION_2 = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'];

/**
 * How much processor time the control groups of this process grant it, in processors: the least of its own group and of
 * those above. Nothing where there is no limit, and for what cannot be read.
 * Source: `Documentation/admin-guide/cgroup-v2.rst` and `Documentation/scheduler/sched-bwc.rst` of Linux.
 */
export function cgroupQuota(read: ReadSystemFile): number | undefined {
  const groups = (read('/proc/self/cgroup') ?? '').split('\n').flatMap((line) => {
    const [, id, controllers = '', path = ''] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (id === '0' && controllers === '') return VERSION_2.map((mount) => ({ mount, path, quota: quotaOfVersion2 }));
    if (!controllers.split(',').includes('cpu')) return [];
    return VERSION_1.map((mount) => ({ mount, path, quota: quotaOfVersion1 }));
  });
  const quotas = groups.flatMap(({ mount, path, quota }) =>
    foldersUpTo(mount, path).map((folder) => quota(read, folder)),
  );
  const limits = quotas.filter((quota) => quota !== undefined);
  return limits.length > 0 ? Math.min(...limits) : undefined;
}

/**
 * The folder of a group and all above it. A container may see its own group as the root but be told the path that the
 * host knows: folders that do not exist are skipped when their files are read.
 */
function foldersUpTo(mount: string, path: string): string[] {
  const names = posix
    .normalize(path)
    .split('/')
    .filter((name) => name !== '');
  return Array.from({ length: names.length + 1 }, (_, depth) => posix.join(mount, ...names.slice(0, depth)));
}

/** `cpu.max`: `150000 100000`, or `max 100000` where there is no limit. */
function quotaOfVersion2(read: ReadSystemFile, folder: string): number | undefined {
  const [time, period] = (read(`${folder}/cpu.max`) ?? '').trim().split(/\s+/);
  return share(time, period);
}

/** `cpu.cfs_quota_us` and `cpu.cfs_period_us`; a quota of -1 is no limit. */
function quotaOfVersion1(read: ReadSystemFile, folder: string): number | undefined {
  return share(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`));
}

function share(time: string | undefined, period: string | undefined): number | undefined {
  const quota = Number(time) / Number(period);
  return Number.isFinite(quota) && quota > 0 ? quota : undefined;
}
