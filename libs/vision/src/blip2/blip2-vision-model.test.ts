import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint, readTensor } from '@blip2/checkpoint';
import { Blip2VisionConfig, readConfig } from '@blip2/config';
import type { PixelValues, SessionFactory } from '@blip2/interfaces';
import { type InitializeTensor, openPartWeights } from '@blip2/part';
import { createSession } from '@blip2/runtime';
import { pseudoRandomTensor, visionEncoderConformance } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { VisionRequest } from '../vision-request.ts';
import { buildVisionModel, visionSignature, visionTensors } from './blip2-vision-graph.ts';
import { Blip2VisionModel, createBlip2VisionModel } from './blip2-vision-model.ts';

const root = join(import.meta.dirname, '../../../..');
const folders = {
  opt: join(root, 'tools/parity/cases/opt/checkpoint'),
  'opt-legacy-fp16': join(root, 'tools/parity/cases/opt-legacy-fp16/checkpoint'),
  'blip2-opt-shapes': join(root, 'apps/cli/models/blip2-opt-shapes'),
};
const cases = Object.entries(folders);
const flags = [false, true];
const requests: readonly VisionRequest[] = flags.flatMap((hiddenStates) =>
  flags.flatMap((attentions) =>
    flags.map((interpolatePosEncoding) => ({ hiddenStates, attentions, interpolatePosEncoding })),
  ),
);

function image(height: number, width = height, batch = 1): PixelValues {
  return pseudoRandomTensor(batch, 3, height, width);
}
function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-vision-'));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

describe('at int8', () => {
  const config = Blip2VisionConfig.create({
    hiddenSize: 64,
    intermediateSize: 128,
    numHiddenLayers: 3,
    numAttentionHeads: 4,
    imageSize: 28,
    patchSize: 14,
  });
  /** Every term of a layer counts; `without` are zero. */
  const initializer =
    (without?: RegExp): InitializeTensor =>
    (name, shape) =>
      without?.test(name) === true ? { kind: 'zeros' } : { kind: 'normal', std: shape.length === 1 ? 1 : 0.1 };
  const states = async (dtype: 'fp32' | 'int8', without?: RegExp): Promise<Float32Array> => {
    await using encoder = await Blip2VisionModel.fromConfig(config, {
      seed: 3,
      initializer: initializer(without),
      threads: 1,
      dtype,
    });
    await encoder.encode(image(28));
    // The first run uses the stored weights, later runs prepacked ones.
    return (await encoder.encode(image(28))).data;
  };
  const distance = (a: Float32Array, b: Float32Array): number =>
    Math.sqrt(
      a.reduce((sum, value, index) => sum + (value - (b[index] ?? Number.NaN)) ** 2, 0) /
        b.reduce((sum, value) => sum + value ** 2, 0),
    );

  test('is close to float32, and every bias and norm changes the result', async () => {
    const exact = await states('fp32');
    // 0.05 at 7 bits of activations; without any of these terms 0.2 to 0.35.
    expect(distance(await states('int8'), exact)).toBeLessThan(0.08);
    for (const without of [
      /qkv\.bias$/,
      /projection\.bias$/,
      /fc1\.bias$/,
      /fc2\.bias$/,
      /layer_norm1\.bias$/,
      /layer_norm2\.weight$/,
    ])
      expect(distance(await states('int8', without), exact), String(without)).toBeGreaterThan(0.16);
  });

  test('prepare creates the session before the first image, once', async () => {
    const made: string[] = [];
    const noting: SessionFactory = (model, options) => {
      made.push(model.name);
      return createSession(model, options);
    };
    await using encoder = await Blip2VisionModel.fromConfig(config, {
      seed: 3,
      threads: 1,
      dtype: 'int8',
      createSession: noting,
    });
    await encoder.prepare?.();
    expect(made).toEqual(['vision_model']);
    await encoder.encode(image(28));
    expect(made).toEqual(['vision_model']);
  });
});

describe.each(cases)('the encoder of %s', (_, folder) => {
  for (const check of visionEncoderConformance({
    create: () => Blip2VisionModel.fromPretrained(folder, { threads: 1 }),
  }))
    test(check.name, check.run);
});

describe('graphs', () => {
  test.each(cases)('of %s use every tensor of the encoder once, for every request', async (_, folder) => {
    const config = Blip2VisionConfig.fromJson(await readConfig(folder));
    const store = await openCheckpoint(folder);
    const stored = [...store.tensors.keys()].filter((name) => name.startsWith('vision_model.')).toSorted();
    expect(stored.length).toBeGreaterThan(20);
    for (const request of requests)
      expect(
        buildVisionModel(config, store, 'vision_model', request).weightNames.toSorted(),
        JSON.stringify(request),
      ).toEqual(stored);
    expect(
      visionTensors(config, 'vision_model')
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(stored);
    for (const { name, shape } of visionTensors(config, 'vision_model'))
      expect(store.tensors.get(name)?.shape).toEqual(shape);
  });

  test.each(requests)('load and return the declared outputs: %o', async (request) => {
    const config = Blip2VisionConfig.fromJson(await readConfig(folders.opt));
    await using session = await createSession(
      buildVisionModel(config, await openCheckpoint(folders.opt), 'vision_model', request),
    );
    const [height, width] = request.interpolatePosEncoding ? [40, 26] : [32, 32];
    const outputs: Record<string, { dims: readonly number[] } | undefined> = await session.run({
      pixel_values: image(height, width, 2),
    });
    const positions = 1 + Math.floor(height / 8) * Math.floor(width / 8);
    for (const [name, { axes }] of Object.entries(visionSignature(config, request).outputs)) {
      expect(outputs[name]?.dims, name).toEqual(
        axes.map((axis) => (typeof axis === 'number' ? axis : { batch: 2, '1+patches': positions }[axis])),
      );
    }
  });
});

describe('Blip2VisionModel', () => {
  test('returns hidden states and attentions only on request of the call or the configuration', async () => {
    await using model = await Blip2VisionModel.fromPretrained(folders.opt);
    const plain = await model.forward({ pixelValues: image(32) });
    expect(Object.keys(plain).toSorted()).toEqual(['lastHiddenState', 'poolerOutput']);
    const all = await model.forward({ pixelValues: image(32) }, { outputHiddenStates: true, outputAttentions: true });
    expect(all.hiddenStates).toHaveLength(3);
    expect(all.attentions?.map(({ dims }) => dims)).toEqual([
      [1, 4, 17, 17],
      [1, 4, 17, 17],
    ]);
    const sums = all.attentions?.[0]?.data.subarray(0, 17).reduce((a, b) => a + b, 0);
    expect(sums).toBeCloseTo(1, 5);

    const config = Blip2VisionConfig.create({ ...tiny, outputHiddenStates: true, outputAttentions: true });
    await using asking = await Blip2VisionModel.fromConfig(config);
    expect(await asking.forward({ pixelValues: image(16) })).toMatchObject({
      hiddenStates: { length: 2 },
      attentions: { length: 1 },
    });
    expect(
      await asking.forward({ pixelValues: image(16) }, { outputHiddenStates: false, outputAttentions: false }),
    ).not.toHaveProperty('hiddenStates');
  });

  test('rejects images of another size with a fix', async () => {
    await using model = await Blip2VisionModel.fromPretrained(folders.opt);
    await expect(model.encode(image(40))).rejects.toThrow(
      failure('SHAPE_MISMATCH', /\[batch, 3, 32, 32\].*\[1, 3, 40, 40\].*interpolatePosEncoding/),
    );
    await expect(model.encode(image(7), { interpolatePosEncoding: true })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /at least 8 pixels/),
    );
    await expect(model.encode({ ...image(32), dims: [1, 1, 32, 96] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /\[batch, 3, height, width\]/),
    );
    await expect(
      model.encode({ type: 'float32', dims: [3, 32, 32] as never, data: new Float32Array(3072) }),
    ).rejects.toThrow(failure('SHAPE_MISMATCH'));
    await expect(model.encode({ ...image(32), data: new Float32Array(7) })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /3072 values for \[1, 3, 32, 32\], got 7/),
    );
  });

  test('interpolating positions to the same size changes nothing', async () => {
    await using model = await Blip2VisionModel.fromPretrained(folders.opt);
    const [plain, interpolated] = [
      await model.encode(image(32)),
      await model.encode(image(32), { interpolatePosEncoding: true }),
    ];
    expect(
      Math.max(...plain.data.map((value, index) => Math.abs(value - (interpolated.data[index] ?? Number.NaN)))),
    ).toBeLessThan(1e-4);
  });

  test('creates one session per request', async () => {
    const made: string[] = [];
    await using model = await Blip2VisionModel.fromPretrained(folders.opt, {
      createSession: (graph, options) => {
        made.push(graph.name);
        return createSession(graph, options);
      },
    });
    expect(made).toEqual([]);
    await Promise.all([model.encode(image(32)), model.encode(image(32)), model.forward({ pixelValues: image(32) })]);
    expect(made).toHaveLength(1);
    await model.forward({ pixelValues: image(32) }, { outputAttentions: true });
    expect(made).toHaveLength(2);
  });

  test('rejects weights that do not match its configuration at first use', async () => {
    const config = Blip2VisionConfig.create({
      ...Blip2VisionConfig.fromJson(await readConfig(folders.opt)),
      intermediateSize: 73,
    });
    const folder = join(scratch, 'wrong');
    await using right = await Blip2VisionModel.fromPretrained(folders.opt);
    await right.savePretrained(folder);
    await using wrong = createBlip2VisionModel(config, await openPartWeights(folder, 'vision_model'));
    await expect(wrong.encode(image(32))).rejects.toThrow(
      failure('SHAPE_MISMATCH', /mlp\.fc1\.weight.*\[73, 40\].*\[72, 40\]/),
    );
  });
});

const tiny = {
  hiddenSize: 8,
  intermediateSize: 12,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  imageSize: 16,
  patchSize: 8,
} as const;

describe('a random encoder', () => {
  test('is the same for the same seed, and removes its file', async () => {
    const config = Blip2VisionConfig.create(tiny);
    const encode = async (seed?: number): Promise<Float32Array> => {
      await using model = await Blip2VisionModel.fromConfig(config, {
        folder: scratch,
        ...(seed !== undefined && { seed }),
      });
      return (await model.encode(image(16))).data;
    };
    const first = await encode(1);
    expect(await encode(1)).toEqual(first);
    expect(await encode(2)).not.toEqual(first);
    expect((await readdir(scratch)).filter((name) => name.startsWith('blip2-random'))).toEqual([]);
  });

  test('has the weights of its initializer', async () => {
    const names: string[] = [];
    await using model = await Blip2VisionModel.fromConfig(Blip2VisionConfig.create(tiny), {
      initializer: (name) => {
        names.push(name);
        return { kind: 'zeros' };
      },
    });
    expect((await model.encode(image(16))).data.every((value) => value === 0)).toBe(true);
    expect(names).toContain('encoder.layers.0.self_attn.qkv.weight');
  });

  test('has norms of one and biases of zero by default', async () => {
    await using model = await Blip2VisionModel.fromConfig(Blip2VisionConfig.create(tiny));
    const folder = join(scratch, 'initial');
    await model.savePretrained(folder);
    const { tensors } = await openCheckpoint(folder);
    const data = async (name: string): Promise<number[]> => {
      const stored = tensors.get(name);
      return stored ? [...(await readTensor(stored)).data] : [];
    };
    expect(new Set(await data('post_layernorm.weight'))).toEqual(new Set([1]));
    expect(new Set(await data('encoder.layers.0.mlp.fc1.bias'))).toEqual(new Set([0]));
    expect(new Set(await data('encoder.layers.0.mlp.fc1.weight')).size).toBeGreaterThan(50);
  });
});

describe('an encoder that was saved alone', () => {
  test.each(cases)('of %s computes the same as in the full model', async (name, folder) => {
    const target = join(scratch, name);
    await using model = await Blip2VisionModel.fromPretrained(folder);
    await model.savePretrained(target);
    await using alone = await Blip2VisionModel.fromPretrained(target);
    const { imageSize } = model;
    expect((await alone.encode(image(imageSize))).data).toEqual((await model.encode(image(imageSize))).data);
    const config: unknown = JSON.parse(await readFile(join(target, 'config.json'), 'utf8'));
    expect(config).toMatchObject({
      architectures: ['Blip2VisionModel'],
      model_type: 'blip_2_vision_model',
      torch_dtype: name === 'opt' ? 'float32' : 'float16',
    });
    expect(alone.config).toMatchObject({ imageSize, numHiddenLayers: model.config.numHiddenLayers });
    expect([...(await openCheckpoint(target)).tensors.keys()]).toContain('encoder.layers.0.self_attn.qkv.weight');
  });

  test('is stored in another precision on request', async () => {
    const target = join(scratch, 'half');
    await using model = await Blip2VisionModel.fromPretrained(folders.opt);
    await model.savePretrained(target, { dtype: 'float16' });
    expect(new Set([...(await openCheckpoint(target)).tensors.values()].map(({ dtype }) => dtype))).toEqual(
      new Set(['F16']),
    );
  });
});
