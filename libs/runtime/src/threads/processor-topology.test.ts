import { expect, test } from 'vitest';

import { type ProcessorTopology, processorTopology } from './processor-topology.ts';

/** A machine by the groups of processors that share a core, and further files below `/sys/devices`. */
function kinds(
  allowed: string,
  cores: readonly (readonly number[])[],
  files: Readonly<Record<string, string>> = {},
): ProcessorTopology['kinds'] | undefined {
  const siblings = cores.flatMap((core) =>
    core.map((processor) => [
      `/sys/devices/system/cpu/cpu${processor}/topology/thread_siblings_list`,
      `${core.join(',')}\n`,
    ]),
  );
  const all: Readonly<Record<string, string>> = {
    ...(Object.fromEntries(siblings) as Record<string, string>),
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`/sys/devices/${name}`, text])),
  };
  return processorTopology(allowed, (path) => all[path])?.kinds;
}

const pairs = (count: number, stride: number): number[][] =>
  Array.from({ length: count }, (_, core) => [core, core + stride]);

test('hyper-threads of a core', () => {
  expect(kinds('0-7', pairs(4, 4))).toEqual([{ name: 'core', cores: 4, processors: 8 }]);
});

test('an affinity mask selects processors, not cores', () => {
  expect(kinds('0-3', pairs(4, 4))).toEqual([{ name: 'core', cores: 4, processors: 4 }]);
  expect(kinds('0,4', pairs(4, 4))).toEqual([{ name: 'core', cores: 1, processors: 2 }]);
});

test('a machine that does not tell has one core per processor', () => {
  expect(kinds('0-2', [])).toEqual([{ name: 'core', cores: 3, processors: 3 }]);
});

test("Intel's kinds of cores, fastest first", () => {
  const hybrid = { 'cpu_core/cpus': '0-3\n', 'cpu_atom/cpus': '4-7\n', 'cpu_lowpower/cpus': '8-9\n' };
  const cores = [[0, 1], [2, 3], [4], [5], [6], [7], [8], [9]];
  expect(kinds('0-9', cores, hybrid)).toEqual([
    { name: 'cpu_core', cores: 2, processors: 4 },
    { name: 'cpu_atom', cores: 4, processors: 4 },
    { name: 'cpu_lowpower', cores: 2, processors: 2 },
  ]);
  // Only slow cores are allowed: all are alike.
  expect(kinds('4-5', cores, hybrid)).toEqual([{ name: 'core', cores: 2, processors: 2 }]);
  // A processor that none of them lists.
  expect(kinds('3-4,12', cores, hybrid)?.map(({ name }) => name)).toEqual(['cpu_core', 'cpu_atom', 'core']);
});

test('kinds of cores of Arm by their capacity', () => {
  const capacities = { 0: 400, 1: 400, 2: 760, 3: 1024 };
  const files = Object.fromEntries(
    Object.entries(capacities).map(([cpu, capacity]) => [`system/cpu/cpu${cpu}/cpu_capacity`, `${capacity}\n`]),
  );
  expect(kinds('0-3', [], files)).toEqual([
    { name: 'capacity 1024', cores: 1, processors: 1 },
    { name: 'capacity 760', cores: 1, processors: 1 },
    { name: 'capacity 400', cores: 2, processors: 2 },
  ]);
  expect(kinds('0-1', [], files)).toEqual([{ name: 'core', cores: 2, processors: 2 }]);
});

test.each(['', 'all', '3-1', '1,', '0-70000'])('a list that is none: %j', (list) => {
  expect(kinds(list, [])).toBeUndefined();
});
