import { decodeImage, encodeJpeg } from '@blip2/processor';

const QUALITY = 90;

/**
 * An image file and variants of it, shifted sideways: as many images as decoding, preprocessing and encoding of a batch
 * would take. Copies of one image might be processed once.
 */
export async function distinctImages(file: Uint8Array, count: number): Promise<readonly Uint8Array[]> {
  const image = await decodeImage(file, { autoOrient: true });
  const [height, width] = image.dims;
  const images: Uint8Array[] = [file];
  for (let number = 1; number < count; number++) {
    const shift = 3 * Math.round((width * number) / count);
    const data = new Uint8Array(image.data.length);
    for (let y = 0; y < height; y++) {
      const row = image.data.subarray(3 * width * y, 3 * width * (y + 1));
      data.set(row.subarray(shift), 3 * width * y);
      data.set(row.subarray(0, shift), 3 * width * (y + 1) - shift);
    }
    images.push(await encodeJpeg({ ...image, data }, { quality: QUALITY }));
  }
  return images;
}
