import { expect, test } from 'vitest';

import { decodeImage } from './decode-image.ts';
import { readPillowFiles } from './fixtures/pillow-file.ts';

const files = readPillowFiles('pillow-tiff.json');

test.each(files)('a TIFF equals Pillow, with and without autoOrient: $what', async ({ bytes, expected }) => {
  expect(await decodeImage(bytes)).toEqual(expected);
  expect(await decodeImage(bytes, { autoOrient: true })).toEqual(expected);
});
