import { expect, test } from 'vitest';

import { createCallQueue } from '../lifetime/call-queue.ts';
import { prepareParts } from './prepare-parts.ts';

/** A model that notes how its parts are prepared, and its queue. */
function notingModel() {
  const prepared: unknown[] = [];
  const part = (name: string) => ({
    prepare: async (options?: object) => {
      prepared.push([name, options]);
      throw new TypeError('not prepared');
    },
  });
  const model = { pipeline: { vision: part('vision'), language: part('language') } };
  const actions: (() => void)[] = [];
  const queue = { ...createCallQueue(), whenIdle: (action: () => void) => void actions.push(action) };
  return { model: model as never, prepared, actions, queue };
}

test.each(['worker', 'process'] as const)(
  'parts are prepared for the first use, then for later ones: %s',
  (isolate) => {
    const { model, prepared, actions, queue } = notingModel();
    prepareParts(model, { isolate }, queue);
    expect(prepared).toEqual([
      ['vision', undefined],
      ['language', undefined],
    ]);
    for (const action of actions) action();
    expect(prepared.slice(2)).toEqual([
      ['vision', { repeated: true }],
      ['language', { repeated: true }],
    ]);
  },
);

test('parts on the calling thread, whose event loop they would block, are not prepared', () => {
  const { model, prepared, actions, queue } = notingModel();
  prepareParts(model, {}, queue);
  for (const action of actions) action();
  expect(prepared).toEqual([]);
});
