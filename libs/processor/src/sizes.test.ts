import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { BlipImageProcessor } from './blip-image-processor.ts';
import { centerCrop } from './center-crop.ts';
import { targetSize } from './target-size.ts';

interface Case {
  readonly image: readonly [height: number, width: number];
  readonly json: Readonly<Record<string, unknown>>;
  readonly dims: readonly number[];
  readonly levels: readonly number[];
}
/** Output of HF Transformers 5.18 with Pillow, of the class that `json` names: 8-bit values `[3, height, width]`. */
const cases = JSON.parse(
  readFileSync(new URL('../../../tools/parity/cases/values/image-sizes.json', import.meta.url), 'utf8'),
) as readonly Case[];

/** Defaults of the classes, as in a file. */
const classes = JSON.parse(
  readFileSync(new URL('../../../tools/parity/cases/values/image-classes.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The image of the recorded cases: `(91 x + 37 y + 53 c + 7 (x y mod 17)) mod 256`, with row x and column y. */
function image(height: number, width: number): { type: 'uint8'; dims: [number, number, 3]; data: Uint8Array } {
  const valueAt = (index: number): number => {
    const [c, y, x] = [index % 3, Math.floor(index / 3) % width, Math.floor(index / 3 / width)];
    return (x * 91 + y * 37 + c * 53 + ((x * y) % 17) * 7) % 256;
  };
  return {
    type: 'uint8',
    dims: [height, width, 3],
    data: Uint8Array.from({ length: height * width * 3 }, (_, index) => valueAt(index)),
  };
}

describe('sizes and crops equal those of HF, value by value', () => {
  test.each(cases)('$json of $image', async ({ image: [height, width], json, dims, levels }) => {
    const processor = BlipImageProcessor.fromJson({ ...json, do_rescale: false, do_normalize: false });
    const { pixelValues } = await processor.process(image(height, width));
    expect(pixelValues.dims).toEqual([1, ...dims]);
    expect([...pixelValues.data]).toEqual(levels);
  });

  test.each(Object.entries(classes))('%s has the defaults of HF', (name, defaults) => {
    const { settings } = BlipImageProcessor.fromJson({ image_processor_type: name });
    expect(settings).toEqual(BlipImageProcessor.fromJson(defaults).settings);
    expect(settings.imageMean).toEqual(defaults['image_mean']);
    expect(settings.doCenterCrop).toBe(defaults['do_center_crop'] ?? false);
  });

  test.each(['CLIPImageProcessorFast', 'CLIPImageProcessorPil'])('%s is CLIPImageProcessor', (name) => {
    const expected = BlipImageProcessor.fromJson({ image_processor_type: 'CLIPImageProcessor' }).settings;
    expect(BlipImageProcessor.fromJson({ image_processor_type: name }).settings).toEqual(expected);
    expect(BlipImageProcessor.fromJson({ feature_extractor_type: 'CLIPFeatureExtractor' }).settings).toEqual(expected);
  });

  test('options of a call override the file', async () => {
    const processor = BlipImageProcessor.fromJson({
      size: { shortest_edge: 6 },
      do_rescale: false,
      do_normalize: false,
    });
    expect(
      (
        await processor.process(image(10, 15), {
          size: { shortestEdge: 8, longestEdge: 9 },
          doCenterCrop: true,
          cropSize: 4,
        })
      ).pixelValues.dims,
    ).toEqual([1, 3, 4, 4]);
    await expect(processor.process(image(10, 15), { doCenterCrop: true })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'cropSize' },
    });
    await expect(processor.process([image(10, 15), image(15, 10)])).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
  });
});

test('centerCrop crops the center and pads smaller images', () => {
  const image = { type: 'uint8', dims: [1, 2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) } as const;
  expect(centerCrop({ ...image, dims: [1, 2, 3] }, { height: 1, width: 1 }).data).toEqual(Uint8Array.of(1, 2, 3));
  expect(centerCrop({ ...image, dims: [1, 2, 3] }, { height: 2, width: 2 })).toEqual({
    type: 'uint8',
    dims: [2, 2, 3],
    data: Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6),
  });
});

test('rejects images that cannot be resized', () => {
  expect(() => targetSize(1, 30_000, { shortestEdge: 384 })).toThrow(
    expect.objectContaining({ code: 'IMAGE_TOO_LARGE' }),
  );
  expect(() => targetSize(1, 30_000, { shortestEdge: 384, longestEdge: 400 })).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_IMAGE' }),
  );
});
