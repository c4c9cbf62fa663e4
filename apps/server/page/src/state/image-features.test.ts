import { expect, test } from 'vitest';

import { ApiError } from '../api/api-error.ts';
import { batchesOf, cosine, createImageFeatures } from './image-features.ts';
import type { PageImage } from './image-files.ts';

const { signal } = new AbortController();
const image = (id: number, size = 10): PageImage => ({
  id,
  name: String(id),
  file: { id, size } as unknown as Blob,
  url: '',
});
const images = (count: number): PageImage[] => Array.from({ length: count }, (_, id) => image(id));
const options = { signal, onProgress: (): void => undefined };

/** A server that answers with the id of each image, and the requests that it got. */
function server(refuse: (ids: readonly number[], call: number) => ApiError | undefined = () => undefined): {
  requests: number[][];
  embed: (model: string | undefined, inputs: readonly (Blob | string)[]) => Promise<Float32Array[]>;
} {
  const requests: number[][] = [];
  return {
    requests,
    async embed(_, inputs) {
      const ids = inputs.map((input) => (input as unknown as { id: number }).id);
      requests.push(ids);
      const error = refuse(ids, requests.length);
      if (error) throw error;
      return ids.map((id) => Float32Array.of(id));
    },
  };
}

test('images are sent in batches, once per model', async () => {
  const { requests, embed } = server();
  const features = createImageFeatures({ embed });
  const all = images(19);
  const progress: string[] = [];
  const onProgress = (done: number, total: number): void => void progress.push(`${done}/${total}`);
  await features.compute('a', all, { signal, onProgress });
  expect(requests.map(({ length }) => length)).toEqual([8, 8, 3]);
  expect(progress).toEqual(['0/19', '8/19', '16/19', '19/19']);
  expect(features.vector('a', all[17]!)).toEqual(Float32Array.of(17));
  await features.compute('a', [...all, image(19)], { signal, onProgress });
  expect(requests.at(-1)).toEqual([19]);
  expect(features.vector('b', all[0]!)).toBeUndefined();
  await features.compute('b', all, options);
  expect(requests).toHaveLength(7);
});

test('batches are limited by bytes, too; an image of any size is sent', () => {
  const batches = batchesOf([image(0, 5_000_000), image(1, 2_000_000), image(2, 30_000_000), image(3), image(4)]);
  expect(batches.map((batch) => batch.map(({ id }) => id))).toEqual([[0], [1], [2], [3, 4]]);
  expect(batchesOf([])).toEqual([]);
});

test('a damaged image is found by halves, and the others are computed', async () => {
  const { requests, embed } = server((ids) => (ids.includes(5) ? new ApiError('INVALID_IMAGE', 'damaged') : undefined));
  const features = createImageFeatures({ embed });
  const all = images(9);
  await features.compute('a', all, options);
  expect(features.failure('a', all[5]!)?.code).toBe('INVALID_IMAGE');
  expect(all.filter((each) => features.vector('a', each))).toHaveLength(8);
  expect(requests).toEqual([[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [6, 7], [8]]);
  await features.compute('a', all, options);
  expect(requests).toHaveLength(8);
});

test('a busy server is asked again; other errors end the work, and what was computed is kept', async () => {
  const busy = new ApiError('QUEUE_FULL', 'busy', { retryAfter: 0.001 });
  const down = new ApiError('WORKER_FAILED', 'down', { status: 503 });
  const { requests, embed } = server((_, call) => (call === 2 ? busy : call === 4 ? down : undefined));
  const features = createImageFeatures({ embed });
  const all = images(20);
  await expect(features.compute('a', all, options)).rejects.toBe(down);
  expect(requests.map(([first]) => first)).toEqual([0, 8, 8, 16]);
  await features.compute('a', all, options);
  expect(requests.at(-1)).toEqual([16, 17, 18, 19]);
});

test('waiting for a busy server is aborted', async () => {
  const aborting = new AbortController();
  const { embed } = server(() => {
    queueMicrotask(() => aborting.abort());
    return new ApiError('QUEUE_FULL', 'busy', { retryAfter: 3600 });
  });
  const features = createImageFeatures({ embed });
  const computing = features.compute('a', images(1), { ...options, signal: aborting.signal });
  await expect(computing).rejects.toMatchObject({ name: 'AbortError' });
});

test('the cosine of vectors of length 1', () => {
  expect(cosine(Float32Array.of(0.6, 0.8), Float32Array.of(0.8, 0.6))).toBeCloseTo(0.96, 6);
});
