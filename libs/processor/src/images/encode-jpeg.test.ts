import type { RgbImage } from '@blip2/interfaces';
import { expect, test } from 'vitest';

import { decodeImage } from './decode-image.ts';
import { encodeJpeg } from './encode-jpeg.ts';

const halves: RgbImage = {
  type: 'uint8',
  dims: [16, 32, 3],
  data: Uint8Array.from({ length: 16 * 32 * 3 }, (_, at) => ((at / 3) % 32 < 16 ? 20 : 220)),
};

test('encodes the image in its own or another size', async () => {
  const whole = await encodeJpeg(halves);
  expect([...whole.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
  const { dims, data } = await decodeImage(whole);
  expect(dims).toEqual([16, 32, 3]);
  expect(data[0]).toBeLessThan(40);
  expect(data[31 * 3]).toBeGreaterThan(200);
  expect((await decodeImage(await encodeJpeg(halves, { width: 8, height: 64 }))).dims).toEqual([64, 8, 3]);
});

test('a lower quality gives a smaller file', async () => {
  const noise: RgbImage = { ...halves, data: halves.data.map((_, at) => Math.imul(at, 2654435761) >>> 24) };
  expect((await encodeJpeg(noise, { quality: 20 })).length).toBeLessThan(
    (await encodeJpeg(noise, { quality: 95 })).length,
  );
});

test.each([{ width: 0 }, { height: 1.5 }, { width: 70_000 }, { quality: 0 }, { quality: 101 }])(
  'rejects %j',
  async (options) => {
    await expect(encodeJpeg(halves, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  },
);

test('rejects data that does not match the dimensions', async () => {
  await expect(encodeJpeg({ ...halves, dims: [16, 31, 3] })).rejects.toMatchObject({ code: 'INVALID_IMAGE' });
});
