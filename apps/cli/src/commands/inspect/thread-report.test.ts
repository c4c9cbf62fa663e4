import { expect, test } from 'vitest';

import { reportOf, threadReport, threadsText } from './thread-report.ts';

const usable = {
  processors: 24,
  quota: 6.5,
  topology: {
    allowed: '0-23',
    kinds: [
      { name: 'cpu_core', cores: 8, processors: 16 },
      { name: 'cpu_atom', cores: 8, processors: 8 },
    ],
  },
};
const choice = { encoder: 7, prompt: 7, decode: 4, fewRows: 8 };

test('what was measured, and on what machine', () => {
  const timings = [{ threads: 7, byteMs: 1.234, floatMs: 2, promptMs: 0.5, blockMs: 0.1, readMs: 3 }];
  const report = reportOf({
    choice,
    reason: 'measured',
    usable,
    timings,
    rowTimings: [],
    file: '/cache/threads/x.json',
  });
  expect(report).toEqual({
    ...choice,
    reason: 'measured',
    processors: 24,
    quota: 6.5,
    cores: usable.topology.kinds,
    timings,
    file: '/cache/threads/x.json',
  });
  expect(threadsText(report)).toBe(
    'encoder 7, prompt 7, decode 4; at fast, 4-bit weights up to 8 rows ' +
      '(measured now, 7: 1.2/0.50/0.10/3.0 ms; 24 processors on 8 cpu_cores + 8 cpu_atoms, quota 6.5)',
  );
});

test('what was pinned, or not measured', () => {
  const one = { processors: 1, quota: undefined };
  expect(threadsText(reportOf({ choice, reason: 'pinned', pinned: choice, usable: one }))).toBe(
    'encoder 7, prompt 7, decode 4; at fast, 4-bit weights up to 8 rows (pinned by BLIP2_THREADS; 1 processor)',
  );
  expect(threadsText(reportOf({ choice: { decode: 1 }, reason: 'runtime', pinned: { decode: 1 }, usable: one }))).toBe(
    'encoder as onnxruntime chooses, prompt as onnxruntime chooses, decode 1 ' +
      '(not measured: the model is small, or other programs are busy, decode pinned; 1 processor)',
  );
});

test('a small model is not measured', async () => {
  expect(['runtime', 'quota', 'saved', 'pinned']).toContain((await threadReport(1)).reason);
});
