import { expect, test } from 'vitest';

import type { ImageInput } from './image-inputs.ts';
import { readingThreads } from './reading-threads.ts';

const images = (...inputs: readonly ImageInput[]): { input: ImageInput }[] => inputs.map((input) => ({ input }));
const file: ImageInput = { name: 'a', source: 'a' };

test('files are decoded on as many threads as suit the cores', () => {
  expect(readingThreads(images(file))).toBeUndefined();
});

test('URLs are fetched in parallel', () => {
  expect(readingThreads(images(file, { name: 'u', source: new URL('https://example.org/a.jpg') }))).toBe(4);
  expect(readingThreads(images(file, { name: 'u', source: new URL('file:///a.jpg') }))).toBeUndefined();
});
