import { getEventListeners } from 'node:events';

import { expect, test } from 'vitest';

import { onAbort } from './on-abort.ts';

test('every callback is called once, by one listener', () => {
  const controller = new AbortController();
  const called: number[] = [];
  const stops = Array.from({ length: 20 }, (_, index) => onAbort(controller.signal, () => called.push(index)));
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
  stops[3]?.();
  controller.abort();
  controller.abort();
  expect(called).toEqual(Array.from({ length: 20 }, (_, index) => index).filter((index) => index !== 3));
});

test('without a signal there is nothing to stop', () => {
  expect(onAbort(undefined, () => expect.fail('called'))()).toBeUndefined();
});
