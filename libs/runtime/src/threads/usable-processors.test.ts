import { expect, test } from 'vitest';

import { usableProcessors } from './usable-processors.ts';

function processors(
  list: string | undefined,
  cpuMax = 'max 100000',
  parallelism = 64,
): ReturnType<typeof usableProcessors> {
  const files: Readonly<Record<string, string | undefined>> = {
    '/proc/self/status':
      list === undefined
        ? undefined
        : `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems_allowed:\t1\n`,
    '/proc/self/cgroup': '0::/\n',
    '/sys/fs/cgroup/cpu.max': cpuMax,
  };
  return usableProcessors({ read: (path) => files[path], parallelism: () => parallelism });
}

test.each([
  ['0', 1],
  ['0-1', 2],
  ['0-3,8', 5],
  ['1,3,5-6,10-11', 6],
])('may run on processors %s: %i', (list, count) => {
  expect(processors(list)).toMatchObject({ processors: count, quota: undefined, topology: { allowed: list } });
});

test.each([undefined, '', 'x', '3-1', '1-', '-', '0-99999999'])('asks Node if the system lists %s', (list) => {
  expect(processors(list, 'max 100000', 7)).toEqual({ processors: 7, quota: undefined, topology: undefined });
});

test('a quota does not change the number of processors', () => {
  expect(processors('0-3', '150000 100000')).toMatchObject({ processors: 4, quota: 1.5 });
});

test('at least one processor', () => {
  expect(processors(undefined, 'max 100000', 0)).toEqual({ processors: 1, quota: undefined });
});

test('this machine', () => {
  const usable = usableProcessors();
  expect(Number.isInteger(usable.processors) && usable.processors >= 1).toBe(true);
});
