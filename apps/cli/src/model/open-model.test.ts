import type { ModelHosts } from '@blip2/blip2/hosts';
import { expect, test } from 'vitest';

import type { Environment } from '../environment.ts';
import type { ModelOptions } from '../options/common-options.ts';
import { embeddingKind, generationKind, heatmapKind, retrievalKind } from './model-kinds.ts';
import { startHosts } from './open-model.ts';

const started: ModelHosts = Object.create(null);

/** What is started ahead for a kind of checkpoint. */
async function startedFor(kind: Parameters<typeof startHosts>[0], options: ModelOptions = {}): Promise<unknown> {
  const asked: unknown[] = [];
  const environment = {
    startHosts: async (options: unknown) => {
      asked.push(options);
      return started;
    },
  } as unknown as Environment;
  const hosts = await startHosts(kind, options, environment);
  expect(hosts).toBe(asked.length > 0 ? started : undefined);
  return asked[0];
}

test('threads are started ahead for the parts that a command needs', async () => {
  expect(await startedFor(generationKind)).toEqual({ isolate: 'worker', language: true });
  expect(await startedFor(retrievalKind)).toEqual({ isolate: 'worker', language: false });
  expect(await startedFor(embeddingKind('vision'))).toEqual({ isolate: 'worker', language: false });
});

test('nothing is started ahead for parts that a module may replace, nor for heatmaps', async () => {
  expect(await startedFor(generationKind, { module: './module.mjs' })).toBeUndefined();
  expect(await startedFor(heatmapKind({ method: 'occlusion', text: 'a cat' } as never))).toBeUndefined();
});

test('--isolate selects what is started ahead', async () => {
  expect(await startedFor(generationKind, { isolate: 'process' })).toEqual({ isolate: 'process', language: true });
  expect(await startedFor(generationKind, { isolate: 'inline' })).toBeUndefined();
});
