/** CLIP's vision encoder against HF CLIPVisionModel with the same random weights (the case `clip`). */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import { ClipVisionConfig, readConfig } from '@blip2/config';
import type { OnnxModel, PixelValues, Session, SessionOptions, Signature, Tensor } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { pseudoRandom, readTensorFile, visionEncoderConformance } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ClipVisionEncoder } from './clip-vision-encoder.ts';
import { clipVisionTensors } from './clip-vision-graph.ts';

const fixture = join(import.meta.dirname, '../../../../tools/parity/cases/clip');
const checkpoint = join(fixture, 'checkpoint');
/** Largest difference from a number `e` of the golden: `ATOL + RTOL · |e|`. */
const ATOL = 1e-4;
const RTOL = 1e-4;

interface Golden {
  readonly inputs: { readonly pixel_values: { readonly tensor: string } };
  readonly outputs: Readonly<Record<'last_hidden_state' | 'pooler_output', { readonly tensor: string }>> &
    Readonly<Record<'hidden_states' | 'attentions', { readonly tensors: readonly string[] }>>;
}

let goldens: ReadonlyMap<string, Golden>;
let tensors: (name: string) => Tensor<'float32'>;
let folder = '';

beforeAll(async () => {
  const { entries } = JSON.parse(await readFile(join(fixture, 'golden.json'), 'utf8')) as {
    entries: (Golden & { name: string })[];
  };
  goldens = new Map(entries.map((entry) => [entry.name, entry]));
  const recorded = readTensorFile(await readFile(join(fixture, 'golden.safetensors')));
  tensors = (name) => recorded.get(name) as Tensor<'float32'>;
  folder = await mkdtemp(join(tmpdir(), 'blip2-clip-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function expectTensor(actual: Tensor | undefined, expected: Tensor<'float32'>): void {
  expect(actual?.dims).toEqual(expected.dims);
  expected.data.forEach((value, index) => {
    const difference = Math.abs(Number(actual?.data[index]) - value);
    if (!(difference <= ATOL + RTOL * Math.abs(value)))
      expect.fail(`element ${index}: expected ${value}, got ${actual?.data[index]}`);
  });
}

const image = (name: string): PixelValues => tensors(goldens.get(name)!.inputs.pixel_values.tensor) as PixelValues;
const load = (options?: Parameters<typeof ClipVisionEncoder.fromPretrained>[1]): Promise<ClipVisionEncoder> =>
  ClipVisionEncoder.fromPretrained(checkpoint, { threads: 1, ...options });

describe('forward', () => {
  test.each([
    ['vision/batch', false],
    ['vision/interpolated', true],
  ])('%s: every output, element by element', async (name, interpolatePosEncoding) => {
    await using encoder = await load();
    const { outputs } = goldens.get(name)!;
    const actual = await encoder.forward(
      { pixelValues: image(name) },
      { outputHiddenStates: true, outputAttentions: true, interpolatePosEncoding },
    );
    expectTensor(actual.lastHiddenState, tensors(outputs.last_hidden_state.tensor));
    expectTensor(actual.poolerOutput, tensors(outputs.pooler_output.tensor));
    expect([actual.hiddenStates?.length, actual.attentions?.length]).toEqual([4, 3]);
    outputs.hidden_states.tensors.forEach((each, index) => expectTensor(actual.hiddenStates?.[index], tensors(each)));
    outputs.attentions.tensors.forEach((each, index) => expectTensor(actual.attentions?.[index], tensors(each)));
  });

  test('returns hidden states and attentions only on request', async () => {
    await using encoder = await load();
    expect(Object.keys(await encoder.forward({ pixelValues: image('vision/batch') })).sort()).toEqual([
      'lastHiddenState',
      'poolerOutput',
    ]);
  });
});

describe('encode', () => {
  test.each([
    [-1, 3],
    [3, 3],
    [-2, 2],
    [0, 0],
    [-4, 0],
  ])('featureLayer %i returns hidden states %i', async (featureLayer, index) => {
    await using encoder = await load({ featureLayer });
    expectTensor(
      await encoder.encode(image('vision/batch')),
      tensors(goldens.get('vision/batch')!.outputs.hidden_states.tensors[index]!),
    );
  });

  test('returns the last hidden states by default, also of images of another size', async () => {
    await using encoder = await load();
    expectTensor(await encoder.encode(image('vision/batch')), tensors('vision/batch/last_hidden_state'));
    expectTensor(
      await encoder.encode(image('vision/interpolated'), { interpolatePosEncoding: true }),
      tensors('vision/interpolated/last_hidden_state'),
    );
  });

  test('creates its session before the first image, and encodes many images in batches at int8', async () => {
    const created: string[] = [];
    const batches: number[] = [];
    const createCounting = async <S extends Signature>(
      model: OnnxModel<S>,
      options?: SessionOptions,
    ): Promise<Session<S>> => {
      created.push(model.name);
      const session = await createSession(model, options);
      return {
        run: (inputs) => {
          batches.push(Object.values(inputs)[0]?.dims[0] ?? Number.NaN);
          return session.run(inputs);
        },
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      };
    };
    const config = ClipVisionConfig.create({
      hiddenSize: 32,
      intermediateSize: 64,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
      imageSize: 8,
      patchSize: 4,
    });
    const options = { seed: 1, dtype: 'int8', featureLayer: -2, createSession: createCounting } as const;
    await using encoder = await ClipVisionEncoder.fromConfig(config, options);
    await encoder.prepare();
    expect(created).toEqual(['clip_vision_model']);
    const size = 3 * 8 * 8;
    const data = Float32Array.from({ length: 130 * size }, (_, index) => pseudoRandom(index));
    const states = await encoder.encode({ type: 'float32', dims: [130, 3, 8, 8], data });
    expect(states.dims).toEqual([130, 5, 32]);
    // 5 positions each: 120 images are 600 rows.
    expect(batches).toEqual([120, 10]);
    expect(created).toEqual(['clip_vision_model']);
    const last = await encoder.encode({ type: 'float32', dims: [1, 3, 8, 8], data: data.subarray(129 * size) });
    last.data.forEach((value, index) =>
      expect(Math.abs(value - (states.data[129 * 5 * 32 + index] ?? Number.NaN))).toBeLessThan(0.02),
    );
  });

  test.each([4, -5, 0.5, Number.NaN])('rejects featureLayer %d', async (featureLayer) => {
    await expect(load({ featureLayer })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'featureLayer', expected: 'an integer from -4 to 3' },
    });
  });

  test.each([
    ['another size', [1, 3, 24, 30], false],
    ['grey', [1, 1, 24, 24], false],
    ['no batch', [3, 24, 24], false],
    ['less than a patch', [1, 3, 24, 5], true],
  ])('rejects images: %s', async (_, dims, interpolatePosEncoding) => {
    await using encoder = await load();
    const pixelValues = {
      type: 'float32',
      dims,
      data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
    } as unknown as PixelValues;
    await expect(encoder.encode(pixelValues, { interpolatePosEncoding })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
      details: { argument: 'pixelValues' },
    });
  });
});

describe('the seam', () => {
  for (const check of visionEncoderConformance({ create: () => load() })) test(check.name, check.run);
});

describe('checkpoints', () => {
  const small: PixelValues = {
    type: 'float32',
    dims: [1, 3, 8, 8],
    data: Float32Array.from({ length: 3 * 8 * 8 }, (_, index) => pseudoRandom(index)),
  };

  test('the graph uses every tensor of the vision encoder, and no other', async () => {
    const { tensors: stored } = await openCheckpoint(checkpoint);
    const config = ClipVisionConfig.fromJson(await readConfig(checkpoint));
    const names = [...stored.values()]
      .filter(({ name }) => name.startsWith('vision_model.'))
      .map(({ name, shape }) => [name, shape]);
    expect(
      clipVisionTensors(config, 'vision_model')
        .map(({ name, shape }) => [name, shape])
        .sort(),
    ).toEqual(names.sort());
  });

  test('a saved encoder computes the same', async () => {
    await using encoder = await load();
    await encoder.savePretrained(join(folder, 'saved'));
    const stored = await openCheckpoint(join(folder, 'saved'));
    expect([...stored.tensors.keys()].every((name) => name.startsWith('vision_model.'))).toBe(true);
    expect(await readConfig(join(folder, 'saved'))).toMatchObject({
      model_type: 'clip_vision_model',
      architectures: ['CLIPVisionModel'],
      hidden_size: 32,
    });
    await using again = await ClipVisionEncoder.fromPretrained(join(folder, 'saved'), { threads: 1 });
    expect((await again.encode(image('vision/batch'))).data).toEqual(
      (await encoder.encode(image('vision/batch'))).data,
    );
  });

  test('is saved in another precision, with torch_dtype in its configuration', async () => {
    await using encoder = await load();
    await encoder.savePretrained(join(folder, 'half'), { dtype: 'float16' });
    expect(await readConfig(join(folder, 'half'))).toMatchObject({ torch_dtype: 'float16' });
    await using half = await ClipVisionEncoder.fromPretrained(join(folder, 'half'), { threads: 1 });
    const [full, rounded] = [await encoder.encode(image('vision/batch')), await half.encode(image('vision/batch'))];
    expect(rounded.data).not.toEqual(full.data);
    full.data.forEach((value, index) =>
      expect(Math.abs(value - (rounded.data[index] ?? Number.NaN))).toBeLessThan(0.1),
    );
  });

  test('random weights depend on the seed and can be saved', async () => {
    const config = ClipVisionConfig.create({
      hiddenSize: 16,
      intermediateSize: 24,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
      imageSize: 8,
      patchSize: 4,
    });
    const encodeOnce = async (seed: number): Promise<Float32Array> => {
      await using encoder = await ClipVisionEncoder.fromConfig(config, { seed, threads: 1 });
      await encoder.savePretrained(join(folder, `random-${seed}`));
      return (await encoder.encode(small)).data;
    };
    const [one, again, other] = [await encodeOnce(1), await encodeOnce(1), await encodeOnce(2)];
    expect(one).toEqual(again);
    expect(one).not.toEqual(other);
    await using loaded = await ClipVisionEncoder.fromPretrained(join(folder, 'random-1'), { threads: 1 });
    expect((await loaded.encode(small)).data).toEqual(one);
  });

  test('rejects the configuration of another model', async () => {
    const other = join(folder, 'other');
    await (
      await ClipVisionEncoder.fromConfig(
        ClipVisionConfig.create({
          hiddenSize: 16,
          intermediateSize: 24,
          numHiddenLayers: 1,
          numAttentionHeads: 2,
          imageSize: 8,
          patchSize: 4,
        }),
      )
    ).savePretrained(other);
    await writeFile(join(other, 'config.json'), JSON.stringify({ model_type: 'blip_2_vision_model' }));
    await expect(ClipVisionEncoder.fromPretrained(other)).rejects.toMatchObject({ code: 'UNSUPPORTED_ARCHITECTURE' });
  });
});
