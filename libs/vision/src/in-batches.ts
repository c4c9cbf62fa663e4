import type { HiddenStates, PixelValues, WeightStore } from '@blip2/interfaces';

/**
 * Rows up to which the byte kernels keep their pace: two images of 257 positions take 0.42 s each at ViT-g, eight
 * together 0.56 s each, for then every result leaves the
 * processor's cache before it is read again. Other kernels do not mind.
 */
const ROWS_PER_RUN = 600;

/** How many images an encoder is to be given at once. */
export function imagesPerRun(
  { quantized }: WeightStore,
  { dims: [, , height, width] }: PixelValues,
  patchSize: number,
): number {
  const inBytes = [...(quantized?.values() ?? [])].some(({ precision }) => precision === 'int8');
  if (!inBytes) return Infinity;
  const positions = 1 + Math.floor(height / patchSize) * Math.floor(width / patchSize);
  return Math.max(1, Math.floor(ROWS_PER_RUN / positions));
}

/** The states of all images, of at most `size` at a time. */
export async function inBatches(
  pixelValues: PixelValues,
  size: number,
  encode: (some: PixelValues) => Promise<HiddenStates>,
): Promise<HiddenStates> {
  const [count, ...shape] = pixelValues.dims;
  const each = shape.reduce((product, axis) => product * axis, 1);
  // What is no batch of images is for the encoder to refuse.
  if (!(count > size) || pixelValues.data.length !== count * each) return encode(pixelValues);
  const parts: HiddenStates[] = [];
  for (let begin = 0; begin < count; begin += size) {
    const end = Math.min(begin + size, count);
    parts.push(
      await encode({
        type: 'float32',
        dims: [end - begin, ...shape],
        data: pixelValues.data.subarray(begin * each, end * each),
      }),
    );
  }
  return joined(parts, count);
}

function joined(parts: readonly HiddenStates[], count: number): HiddenStates {
  const [, positions = 0, hidden = 0] = parts[0]?.dims ?? [];
  const data = new Float32Array(count * positions * hidden);
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { type: 'float32', dims: [count, positions, hidden], data };
}
