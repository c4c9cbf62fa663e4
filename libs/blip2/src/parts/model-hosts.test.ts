import { getEventListeners } from 'node:events';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { openPart } from '../features/open-part.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import { Blip2 } from '../tasks/blip2.ts';
import { openCheckpointParts } from './checkpoint-parts.ts';
import { startModelHosts } from './model-hosts.ts';

const root = join(import.meta.dirname, '../../../..');
const [model, retrieval] = ['blip2-opt-shapes', 'blip2-itm-shapes'].map((name) =>
  join(root, 'apps/cli/models', name),
) as [string, string];
const image = join(root, 'examples/left-of.png');

describe('hosts that were started ahead', () => {
  test.each(['worker', 'process'] as const)('give the results of hosts that the model starts: %s', async (isolate) => {
    const hosts = startModelHosts({ isolate });
    await using blip2 = await Blip2.fromPretrained(model, { hosts, threads: 1 });
    await using inline = await Blip2.fromPretrained(model, { threads: 1 });
    const [{ tokenIds, score }, expected] = [await blip2.caption(image), await inline.caption(image)];
    expect({ tokenIds, score }).toEqual({ tokenIds: expected.tokenIds, score: expected.score });
  });

  test('are disposed of with the model', async () => {
    const hosts = startModelHosts({ isolate: 'worker', language: false });
    const matcher = await Blip2Retrieval.fromPretrained(retrieval, { hosts, threads: 1 });
    expect((await matcher.match(image, 'a triangle')).itm).toBeGreaterThan(0);
    await matcher.dispose();
    await expect(hosts.vision.create({ module: import.meta.url, export: 'x' })).rejects.toMatchObject({
      code: 'DISPOSED',
    });
  });

  test('stay with the caller if loading fails', async () => {
    const hosts = startModelHosts({ isolate: 'worker' });
    await expect(openCheckpointParts(join(root, 'nowhere'), { hosts })).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await using parts = await openCheckpointParts(model, { hosts, threads: 1 });
    expect((await parts.vision()).hiddenSize).toBeGreaterThan(0);
  });

  test('stay with the caller if a part that is alone cannot be loaded, or a measurement is aborted', async () => {
    const hosts = startModelHosts({ isolate: 'worker' });
    await expect(openPart('loadVision', join(root, 'nowhere'), { hosts })).rejects.toMatchObject({
      code: 'MISSING_FILE',
    });
    const controller = new AbortController();
    const opening = openCheckpointParts(model, { hosts, signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(opening).rejects.toThrow('enough');
    await using parts = await openCheckpointParts(model, { hosts, threads: 1 });
    expect((await parts.vision()).hiddenSize).toBeGreaterThan(0);
  });

  test('observe one signal of many parts and calls with one listener', async () => {
    const { signal } = new AbortController();
    await using retrievalModel = await Blip2Retrieval.fromPretrained(retrieval, {
      isolate: 'worker',
      threads: 1,
      signal,
    });
    const calls = Array.from({ length: 12 }, () => retrievalModel.match(image, 'a triangle', { signal }));
    expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(2);
    await Promise.all(calls);
  });

  test('have loaded the modules of their parts once they are started, also if they failed to', async () => {
    await using hosts = startModelHosts({ isolate: 'worker' });
    await hosts.started();
    await hosts.vision.start('file:///nowhere.js');
  });
});
