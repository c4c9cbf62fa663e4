import { expect, test } from 'vitest';

import type { ImageInput } from './image-inputs.ts';
import { readingThreads } from './reading-threads.ts';

const images = (...inputs: readonly ImageInput[]): { input: ImageInput }[] => inputs.map((input) => ({ input }));
const file: ImageInput = { name: 'a', source: 'a' };

test.each([
  [1, 1],
  [2, 1],
  [8, 2],
  [16, 4],
  [128, 4],
])('%i cores: %i threads', (cores, threads) => {
  expect(readingThreads(images(file), cores)).toBe(threads);
});

test('URLs are fetched in parallel', () => {
  expect(readingThreads(images(file, { name: 'u', source: new URL('https://example.org/a.jpg') }), 1)).toBe(4);
  expect(readingThreads(images(file, { name: 'u', source: new URL('file:///a.jpg') }), 1)).toBe(1);
});
