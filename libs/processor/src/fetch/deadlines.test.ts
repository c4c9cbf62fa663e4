import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createDeadlines } from './deadlines.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('progress extends the first deadline, not the second', () => {
  const deadlines = createDeadlines(10_000, 60_000, undefined);
  for (let seconds = 9; seconds < 60; seconds += 9) {
    vi.advanceTimersByTime(9000);
    deadlines.extend();
  }
  expect(deadlines.signal.aborted).toBe(false);
  vi.advanceTimersByTime(6000);
  expect(deadlines.signal.aborted).toBe(true);
  expect(deadlines.passed()).toBe('no complete answer within 60 s');
});

test('without progress the first deadline passes, except in a pause', () => {
  const deadlines = createDeadlines(10_000, 60_000, undefined);
  deadlines.pause();
  vi.advanceTimersByTime(20_000);
  expect(deadlines.signal.aborted).toBe(false);
  deadlines.extend();
  vi.advanceTimersByTime(9999);
  expect(deadlines.signal.aborted).toBe(false);
  vi.advanceTimersByTime(2);
  expect(deadlines.passed()).toBe('no data within 10 s');
});

test('no clock runs after the end', () => {
  const deadlines = createDeadlines(10_000, 60_000, undefined);
  deadlines.end();
  vi.advanceTimersByTime(100_000);
  expect(deadlines.signal.aborted).toBe(false);
});

test("an abort of the caller is passed on with the caller's reason", () => {
  const controller = new AbortController();
  const deadlines = createDeadlines(10_000, 60_000, controller.signal);
  controller.abort(new RangeError('enough'));
  expect(deadlines.signal.reason).toBeInstanceOf(RangeError);
  expect(deadlines.passed()).toBeUndefined();
});
