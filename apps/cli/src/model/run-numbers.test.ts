import { expect, test } from 'vitest';

import { createRunNumbers } from './run-numbers.ts';

const CHOICE = { encoder: 2, prompt: 2, decode: 1, fewRows: 8 };

test('numbers that the model has chosen are recorded', () => {
  const numbers = createRunNumbers({});
  numbers.choose({ rows: 4 });
  numbers.choose({ threads: CHOICE });
  expect(numbers.current).toEqual({ rows: 4, threads: CHOICE });
});

test('a run that resumes uses those of the earlier run', () => {
  const numbers = createRunNumbers({});
  numbers.reuse({ rows: 4, threads: CHOICE });
  numbers.choose({ rows: 1 });
  expect(numbers.current).toEqual({ rows: 4, threads: CHOICE });
});

test('what the user gives comes first', () => {
  const numbers = createRunNumbers({ threads: 3 });
  numbers.reuse({ rows: 4, threads: CHOICE });
  expect(numbers.current).toEqual({ rows: 4, threads: 3 });
});

test.each([undefined, null, 3, 'x', [], { rows: 0 }, { rows: '4' }, { threads: 0 }, { threads: { decode: -1 } }])(
  'a damaged record is ignored: %j',
  (recorded) => {
    const numbers = createRunNumbers({});
    numbers.reuse(recorded);
    numbers.choose({ rows: 2 });
    expect(numbers.current).toEqual({ rows: 2 });
  },
);
