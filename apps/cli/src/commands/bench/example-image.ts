import type { RgbImage } from '@blip2/interfaces';

/** Pixels, as a phone's small images have them. */
const [WIDTH, HEIGHT] = [640, 480];

/**
 * An image to measure with where none is given: a colour gradient with a disc on it. What is on it makes no difference
 * to the time.
 */
export function exampleImage(): RgbImage {
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const inside = (x - WIDTH / 2) ** 2 + (y - HEIGHT / 2) ** 2 < (HEIGHT / 3) ** 2;
      data.set(inside ? [220, 40, 40] : [(255 * x) / WIDTH, (255 * y) / HEIGHT, 160], 3 * (y * WIDTH + x));
    }
  }
  return { type: 'uint8', dims: [HEIGHT, WIDTH, 3], data };
}
