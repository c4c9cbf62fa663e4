import { Blip2Error, mustBe, type PixelValues, type Tensor } from '@blip2/interfaces';
import { z } from 'zod';

/** A tensor of the KServe V2 protocol, as JSON. */
export const tensorSchema = z.looseObject({
  name: z.string(),
  shape: z.array(z.int().min(0)).min(1).max(8),
  datatype: z.string(),
  data: z.array(z.unknown()),
});
export type V2Tensor = z.output<typeof tensorSchema>;

/** Depth of nested lists: no more than axes. */
const MAX_DEPTH = 8;

/**
 * Pixel values `[images, 3, height, width]` of a tensor with flat or nested data.
 * @throws Blip2Error `INVALID_ARGUMENT`, `SHAPE_MISMATCH`.
 */
export function pixelValuesOf(
  { name, shape, datatype, data }: V2Tensor,
  [channels, height, width]: readonly [number, number, number],
): PixelValues {
  if (datatype !== 'FP32') throw mustBe(`${name}.datatype`, 'FP32', datatype);
  const [images = 0, ...image] = shape;
  if (image.join() !== [channels, height, width].join() || images < 1)
    throw new Blip2Error('INVALID_ARGUMENT', `${name} has the wrong shape`, {
      argument: `${name}.shape`,
      expected: `[images, ${channels}, ${height}, ${width}]`,
      got: `[${shape.join(', ')}]`,
    });
  const values = data.flat(MAX_DEPTH);
  const count = images * channels * height * width;
  if (values.length !== count) throw mustBe(`${name}.data`, `a list of ${count} numbers`, `${values.length} entries`);
  const wrong = values.find((value) => typeof value !== 'number');
  if (wrong !== undefined) throw mustBe(`${name}.data`, 'a list of numbers', wrong);
  return { type: 'float32', dims: [images, channels, height, width], data: Float32Array.from(values as number[]) };
}

/** A float32 tensor as JSON. */
export function floatTensor(name: string, { dims, data }: Tensor<'float32'>): object {
  return { name, shape: dims, datatype: 'FP32', data: [...data] };
}

/**
 * The texts of a tensor of bytes: base64 for images, UTF-8 for prompts.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function textsOf({ name, datatype, data }: V2Tensor): string[] {
  if (datatype !== 'BYTES') throw mustBe(`${name}.datatype`, 'BYTES', datatype);
  return data.flat(MAX_DEPTH).map((value) => {
    if (typeof value !== 'string') throw mustBe(`${name}.data`, 'a list of texts', value);
    return value;
  });
}
