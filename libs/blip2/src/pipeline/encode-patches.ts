import {
  type EncodeOptions,
  type PatchFeatures,
  type PixelValues,
  stackRows,
  type VisionEncoder,
} from '@blip2/interfaces';

/**
 * Pixels of the images that one call of the encoder gets: two images of 224 x 224. Between two calls, an abort takes
 * effect, and other calls of the model take their turn. More images at a time do not make an encoder faster.
 */
const PIXELS_PER_CALL = 2 * 224 * 224;

/** Encodes images, a few at a time. */
export async function encodePatches(
  vision: Pick<VisionEncoder, 'encode'>,
  pixelValues: PixelValues,
  { signal, ...options }: EncodeOptions & { readonly signal?: AbortSignal } = {},
): Promise<PatchFeatures> {
  const [count, ...shape] = pixelValues.dims;
  const [, height, width] = shape;
  const size = Math.max(1, Math.floor(PIXELS_PER_CALL / (height * width)));
  const each = shape.reduce((product, axis) => product * axis, 1);
  signal?.throwIfAborted();
  // The encoder reports a tensor that is not a batch of images.
  if (!(count > size) || pixelValues.data.length !== count * each) return vision.encode(pixelValues, options);
  const encode = (begin: number): Promise<PatchFeatures> => {
    const end = Math.min(begin + size, count);
    const data = pixelValues.data.subarray(begin * each, end * each);
    return vision.encode({ type: 'float32', dims: [end - begin, ...shape], data }, options);
  };
  const batches: [PatchFeatures, ...PatchFeatures[]] = [await encode(0)];
  for (let begin = size; begin < count; begin += size) {
    signal?.throwIfAborted();
    batches.push(await encode(begin));
  }
  return stackRows(batches);
}
