import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error, type PixelValues } from '@blip2/interfaces';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import type { RetrievalTaskParts } from '../retrieval/encode-retrieval-inputs.ts';
import { Blip2 } from '../tasks/blip2.ts';
import { questionPrompt } from '../tasks/prompt-templates.ts';
import { contrastScore, type ImageScore, likelihoodScore, matchScore } from './image-scores.ts';
import { occlusionMap, positiveShare } from './occlusion-map.ts';

/** Timeout in milliseconds: the test runs the model a thousand times, possibly on a busy machine. */
const PATIENCE = 60_000;
const cli = join(import.meta.dirname, '../../../../apps/cli');

/** A black image of three channels with white pixels at the given places. */
function dots(side: number, ...places: readonly (readonly [y: number, x: number])[]): PixelValues {
  const data = new Float32Array(3 * side * side);
  for (const [y, x] of places) for (let channel = 0; channel < 3; channel++) data[(channel * side + y) * side + x] = 1;
  return { type: 'float32', dims: [1, 3, side, side], data };
}
/** Scores images by the value of one pixel. */
const pixelAt =
  (y: number, x: number): ImageScore =>
  async ({ dims: [batch, , height, width], data }) =>
    Array.from({ length: batch }, (_, row) => data[row * 3 * height * width + y * width + x]!);

describe('occlusionMap', () => {
  test('is the drop of the score under each window, as the mean of the windows over a cell', async () => {
    const { map, score, runs } = await occlusionMap(dots(4, [1, 2]), pixelAt(1, 2), {
      cells: 4,
      windowCells: 2,
      fill: 'grey',
      batchSize: 3,
    });
    expect([score, runs]).toEqual([1, 26]);
    expect(map.dims).toEqual([4, 4]);
    // The share of the four windows over a cell that also cover the dot: all at the dot, half next to it, a quarter at
    // the corners.
    expect([...map.data]).toEqual([0, 0.25, 0.5, 0.25, 0, 0.5, 1, 0.5, 0, 0.25, 0.5, 0.25, 0, 0, 0, 0]);
  });

  test('is the rise of the score by a single region with keep, and the sum of both', async () => {
    const options = { cells: 4, windowCells: 1, fill: 'grey' } as const;
    const both: ImageScore = async (pixels) => {
      const [here, there] = [await pixelAt(0, 0)(pixels, {}), await pixelAt(3, 3)(pixels, {})];
      return here.map((level, row) => Math.min(level, 0.5) + Math.min(there[row]!, 0.5) * level);
    };
    const image = dots(4, [0, 0], [3, 3]);
    const [hide, keep, sum] = [
      await occlusionMap(image, both, options),
      await occlusionMap(image, both, { ...options, mode: 'keep' }),
      await occlusionMap(image, both, { ...options, mode: 'both' }),
    ];
    expect([hide.map.data[0], hide.map.data[15]]).toEqual([1, 0.5]);
    expect([keep.map.data[0], keep.map.data[15]]).toEqual([0.5, 0]);
    expect([sum.map.data[0], sum.map.data[15]]).toEqual([1.5, 0.5]);
    expect([hide.runs, keep.runs, sum.runs]).toEqual([17, 18, 34]);
    expect([keep.score, sum.score]).toEqual([1, 1]);
  });

  test('covers windows with the mean colour, or with a blur of half a window', async () => {
    const image = dots(8, [4, 4]);
    const coveredValue = async (fill: 'mean' | 'blur', y: number, x: number): Promise<number> => {
      const levels: number[] = [];
      await occlusionMap(
        image,
        async (pixels) => {
          const found = await pixelAt(y, x)(pixels, {});
          levels.push(...found);
          return found;
        },
        { cells: 1, windowCells: 1, fill },
      );
      return levels[1]!;
    };
    expect(await coveredValue('mean', 0, 0)).toBeCloseTo(1 / 64);
    expect(await coveredValue('mean', 4, 4)).toBeCloseTo(1 / 64);
    expect(await coveredValue('blur', 4, 4)).toBeGreaterThan(await coveredValue('blur', 0, 0));
    expect(await coveredValue('blur', 4, 4)).toBeLessThan(0.2);
  });

  test('reports progress and aborts', async () => {
    const stop = new AbortController();
    const progress: (readonly [number, number])[] = [];
    const running = occlusionMap(dots(4), pixelAt(0, 0), {
      cells: 2,
      windowCells: 1,
      batchSize: 2,
      signal: stop.signal,
      onProgress: (done, total) => {
        progress.push([done, total]);
        if (done === 4) stop.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(progress).toEqual([
      [2, 5],
      [4, 5],
    ]);
  });

  test('refuses two images and grids out of range', async () => {
    const two: PixelValues = { type: 'float32', dims: [2, 3, 1, 1], data: new Float32Array(6) };
    await expect(occlusionMap(two, pixelAt(0, 0))).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    for (const options of [
      { cells: 0 },
      { cells: 5 },
      { cells: 2.5 },
      { cells: 2, windowCells: 3 },
      { cells: 2, windowCells: 0 },
      { batchSize: 0 },
    ]) {
      await expect(
        occlusionMap(dots(4), pixelAt(0, 0), { cells: 2, windowCells: 1, ...options }),
      ).rejects.toBeInstanceOf(Blip2Error);
    }
  });

  test('is prepared for drawing by dropping negative values', () => {
    const map = (...values: number[]): { type: 'float32'; dims: [number, number]; data: Float32Array } => ({
      type: 'float32',
      dims: [1, values.length],
      data: Float32Array.from(values),
    });
    expect([...positiveShare(map(-3, 1, 4)).data]).toEqual([0, 0.25, 1]);
    expect([...positiveShare(map(-3, -1)).data]).toEqual([0, 0]);
  });
});

interface Scene {
  readonly image: string;
  readonly caption: string;
  readonly objects: readonly {
    readonly shape: string;
    readonly color: string;
    readonly x: number;
    readonly y: number;
    readonly r: number;
  }[];
}

describe('scores of the demo checkpoints', () => {
  let retrieval: Awaited<ReturnType<typeof Blip2Retrieval.fromPretrained>>;
  let parts: RetrievalTaskParts;
  let blip2: Blip2;
  let scene: Scene;
  let file: string;
  let pixelValues: PixelValues;
  beforeAll(async () => {
    retrieval = await Blip2Retrieval.fromPretrained(join(cli, 'models/blip2-itm-shapes'), { threads: 1 });
    parts = { ...retrieval.model, processor: retrieval.processor };
    blip2 = await Blip2.fromPretrained(join(cli, 'models/blip2-opt-shapes'), { threads: 1 });
    const [line = ''] = (await readFile(join(cli, 'evaluation/scenes.jsonl'), 'utf8')).split('\n');
    scene = JSON.parse(line) as Scene;
    file = join(cli, 'evaluation', scene.image);
    const processed = await retrieval.processor.process({ images: [file] });
    pixelValues = processed.pixelValues;
  });
  afterAll(async () => {
    await retrieval.dispose();
    await blip2.dispose();
  });
  const twice = ({ dims: [, ...size], data }: PixelValues): PixelValues => ({
    type: 'float32',
    dims: [2, ...size],
    data: Float32Array.from([...data, ...data]),
  });

  test('equal those of the tasks', async () => {
    const { itm, itc } = await retrieval.match(file, scene.caption);
    const [first = NaN, second = NaN] = await matchScore(parts, scene.caption)(twice(pixelValues), {});
    expect(1 / (1 + Math.exp(-first))).toBeCloseTo(itm, 5);
    expect(second).toBeCloseTo(first, 4);
    expect((await contrastScore(parts, scene.caption)(pixelValues, {}))[0]).toBeCloseTo(itc, 5);
    const { text, score, tokenIds } = await blip2.caption(file);
    expect(tokenIds.length).toBeGreaterThan(4);
    const [alone = NaN, repeated = NaN] = await likelihoodScore(blip2, text)(twice(pixelValues), {});
    expect([alone, repeated]).toEqual([expect.closeTo(score, 3), expect.closeTo(score, 3)]);
    const [best] = await blip2.rank(file, 'what color is the triangle?', ['red']);
    expect(
      (
        await likelihoodScore(blip2, 'red', { prompt: questionPrompt('what color is the triangle?') })(pixelValues, {})
      )[0],
    ).toBeCloseTo(best?.logProb ?? NaN, 3);
  });

  test('refuse an empty text', () => {
    for (const make of [() => matchScore(parts, ' '), () => contrastScore(parts, ''), () => likelihoodScore(blip2, '')])
      expect(make).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  test(
    'locate the object of the answer: a red triangle next to a white square',
    async () => {
      /** Centres in pixels of a 64-pixel image, the size of the encoder. */
      const cells = 16;
      const at = async (score: ImageScore, mode: 'hide' | 'keep'): Promise<string> => {
        const {
          map: { data },
        } = await occlusionMap(pixelValues, score, { mode, batchSize: 24 });
        const best = data.indexOf(Math.max(...data));
        const [x, y] = [((best % cells) + 0.5) * 4, (Math.floor(best / cells) + 0.5) * 4];
        return scene.objects.find((object) => Math.hypot(object.x - x, object.y - y) <= object.r)?.shape ?? 'nothing';
      };
      for (const [color, shape] of [
        ['red', 'triangle'],
        ['white', 'square'],
      ] as const)
        expect(await at(matchScore(parts, `a ${color} ${shape}`), 'keep')).toBe(shape);
      expect(
        await at(likelihoodScore(blip2, 'red', { prompt: questionPrompt('what color is the triangle?') }), 'hide'),
      ).toBe('triangle');
    },
    PATIENCE,
  );
});
