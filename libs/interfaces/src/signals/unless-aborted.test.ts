import { expect, test } from 'vitest';

import { unlessAborted } from './unless-aborted.ts';

const REASON = new Error('enough');

test('is the work without a signal, and its result or failure with one', async () => {
  const { signal } = new AbortController();
  const work = Promise.resolve(1);
  expect(unlessAborted(work, undefined)).toBe(work);
  expect(await unlessAborted(work, signal)).toBe(1);
  await expect(unlessAborted(Promise.reject(REASON), signal)).rejects.toBe(REASON);
});

test('rejects with the reason when the signal aborts, and ignores what the work does then', async () => {
  const controller = new AbortController();
  let fail: (error: Error) => void = () => undefined;
  const pending = unlessAborted(new Promise<never>((_, reject) => (fail = reject)), controller.signal);
  controller.abort(REASON);
  await expect(pending).rejects.toBe(REASON);
  fail(new Error('late'));
  await expect(unlessAborted(Promise.resolve(1), controller.signal)).rejects.toBe(REASON);
});
