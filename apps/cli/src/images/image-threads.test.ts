import { Blip2Error } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import type { OpenImage } from './image-port.ts';
import { type ImageThread, imageThreads } from './image-threads.ts';

const { signal } = new AbortController();

/** Threads that fail at "lost", once and for all, and at "bad"; each image is as wide as the number of its thread. */
function fakeThreads(): { readonly start: () => ImageThread; readonly disposed: number[] } {
  let started = 0;
  const disposed: number[] = [];
  return {
    disposed,
    start() {
      const width = ++started;
      let isLost = false;
      const open: OpenImage = async (source) => {
        isLost ||= source === 'lost';
        if (isLost) throw new Blip2Error('WORKER_FAILED', 'The part worker failed');
        if (source === 'bad') throw new Blip2Error('INVALID_IMAGE', 'no image');
        return { image: { type: 'uint8', dims: [1, 1, 3], data: new Uint8Array(3) }, width, height: 1 };
      };
      return {
        host: { [Symbol.asyncDispose]: async () => void disposed.push(width) },
        part: Promise.resolve({ open }),
      };
    },
  };
}

describe('a thread that dies', () => {
  test('fails its image and is replaced; a thread with a bad image continues', async () => {
    const { start, disposed } = fakeThreads();
    const threads = imageThreads(1, start);
    expect((await threads.open('a', { signal })).width).toBe(1);
    await expect(threads.open('bad', { signal })).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
    expect((await threads.open('b', { signal })).width).toBe(1);
    await expect(threads.open('lost', { signal })).rejects.toMatchObject({ code: 'WORKER_FAILED' });
    expect((await threads.open('c', { signal })).width).toBe(2);
    await threads[Symbol.asyncDispose]();
    expect(disposed).toEqual([2]);
  });

  test('does not block the other images', async () => {
    const { start } = fakeThreads();
    const threads = imageThreads(1, start);
    const opened = await Promise.allSettled(
      ['lost', 'a', 'bad', 'b'].map((source) => threads.open(source, { signal })),
    );
    expect(opened.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'rejected', 'fulfilled']);
  });
});
