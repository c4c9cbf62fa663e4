import { describe, expect, test } from 'vitest';

import { cgroupQuota } from './cgroup-quota.ts';

const reader =
  (files: Readonly<Record<string, string>>) =>
  (path: string): string | undefined =>
    files[path];

/** A group of version 2 at `path`, with the limits of some folders below the mount. */
function version2(
  path: string,
  limits: Readonly<Record<string, string>>,
  mount = '/sys/fs/cgroup',
): number | undefined {
  const files = Object.entries(limits).map(([folder, text]) => [`${mount}${folder}/cpu.max`, text]);
  return cgroupQuota(
    reader({ '/proc/self/cgroup': `0::${path}\n`, ...(Object.fromEntries(files) as Record<string, string>) }),
  );
}

/** The same of version 1, in microseconds. */
function version1(
  lines: string,
  limits: Readonly<Record<string, readonly [quota: string, period: string]>>,
): number | undefined {
  const files = Object.entries(limits).flatMap(([folder, [quota, period]]) => [
    [`/sys/fs/cgroup/${folder}/cpu.cfs_quota_us`, quota],
    [`/sys/fs/cgroup/${folder}/cpu.cfs_period_us`, period],
  ]);
  return cgroupQuota(reader({ '/proc/self/cgroup': lines, ...(Object.fromEntries(files) as Record<string, string>) }));
}

describe('version 2', () => {
  test('its own group', () => {
    expect(version2('/', { '': '150000 100000\n' })).toBe(1.5);
    expect(version2('/service', { '/service': '50000 100000\n' })).toBe(0.5);
  });

  test('the least of its own group and those above', () => {
    expect(version2('/pod/container', { '/pod': '200000 100000\n', '/pod/container': '400000 100000\n' })).toBe(2);
    expect(version2('/pod/container', { '/pod': '800000 100000\n', '/pod/container': '400000 100000\n' })).toBe(4);
    expect(version2('/pod/container', { '/pod': '200000 100000\n', '/pod/container': 'max 100000\n' })).toBe(2);
  });

  test('a path that the host knows and the container does not: what is mounted is its own group', () => {
    expect(version2('/docker/0123', { '': '300000 100000\n' })).toBe(3);
    expect(version2('/../other', { '': '300000 100000\n' })).toBe(3);
  });

  test('no limit', () => {
    expect(version2('/', { '': 'max 100000\n' })).toBeUndefined();
    expect(version2('/service', {})).toBeUndefined();
  });

  test.each(['', 'max', '150000', '150000 0', '-1 100000', 'a b', '0 100000'])('%j is no limit', (text) => {
    expect(version2('/', { '': text })).toBeUndefined();
  });

  test('mounted next to version 1', () => {
    expect(version2('/service', { '/service': '250000 100000\n' }, '/sys/fs/cgroup/unified')).toBe(2.5);
  });
});

describe('version 1', () => {
  test('its own group and those above', () => {
    const lines = '9:name=systemd:/\n4:memory:/other\n1:cpu:/pod/container\n0::/\n';
    expect(version1(lines, { 'cpu/pod/container': ['150000\n', '100000\n'] })).toBe(1.5);
    expect(version1(lines, { 'cpu/pod/container': ['-1\n', '100000\n'], 'cpu/pod': ['50000\n', '20000\n'] })).toBe(2.5);
    expect(version1(lines, { 'cpu/other': ['150000\n', '100000\n'] })).toBeUndefined();
  });

  test('mounted together with its accounting', () => {
    expect(version1('3:cpu,cpuacct:/a\n', { 'cpu,cpuacct/a': ['75000', '50000'] })).toBe(1.5);
  });

  test('another controller whose name begins alike', () => {
    expect(version1('3:cpuset:/\n2:cpuacct:/\n', { cpu: ['150000', '100000'] })).toBeUndefined();
  });

  test('no limit, or a file that is missing or damaged', () => {
    expect(version1('1:cpu:/\n', { cpu: ['-1\n', '100000\n'] })).toBeUndefined();
    expect(version1('1:cpu:/\n', { cpu: ['many', '100000\n'] })).toBeUndefined();
    expect(version1('1:cpu:/\n', { cpu: ['100000\n', '0\n'] })).toBeUndefined();
    expect(version1('1:cpu:/\n', {})).toBeUndefined();
  });
});

test('no groups at all', () => {
  expect(cgroupQuota(() => undefined)).toBeUndefined();
  expect(cgroupQuota(reader({ '/proc/self/cgroup': 'damaged\n:::\n' }))).toBeUndefined();
});
