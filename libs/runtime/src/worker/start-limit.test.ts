import { expect, test } from 'vitest';

import { createStartLimit } from './start-limit.ts';

const unserved = { hasServed: () => false };
const served = { hasServed: () => true };

test('after three workers that completed no call, the next one is started after 30 seconds', () => {
  let now = 0;
  const starts = createStartLimit(() => now);
  for (let count = 0; count < 3; count++) {
    expect(() => starts.expectAllowed()).not.toThrow();
    starts.count(unserved);
  }
  now = 29_999;
  expect(() => starts.expectAllowed()).toThrow(expect.objectContaining({ code: 'WORKER_FAILED' }));
  now = 30_000;
  expect(() => starts.expectAllowed()).not.toThrow();
  starts.count(unserved);
  expect(() => starts.expectAllowed()).toThrow(expect.objectContaining({ code: 'WORKER_FAILED' }));
});

test('workers that completed a call may be replaced any number of times', () => {
  const starts = createStartLimit(() => 0);
  for (const link of [unserved, unserved, served, unserved, unserved, served, served, served]) {
    starts.count(link);
    expect(() => starts.expectAllowed()).not.toThrow();
  }
});
