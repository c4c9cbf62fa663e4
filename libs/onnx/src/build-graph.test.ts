import { f32, i64, type StoredTensor, type StoredType, type WeightStore } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { buildGraph } from './build-graph.ts';
import type { ValueInfoProto } from './generated/onnx_pb.ts';
import { decodeModel, encodeModel } from './model-proto.ts';
import { embedding } from './nn/embedding.ts';
import { linear } from './nn/linear.ts';
import { reshape } from './ops/shape.ts';
import { recordWeights } from './plan/record-weights.ts';

function store(
  tensors: readonly (readonly [name: string, shape: readonly number[], dtype?: StoredType, file?: string])[],
): WeightStore {
  const entries = tensors.map(
    ([name, shape, dtype = 'F32', file = '/models/blip2/model.safetensors']): [string, StoredTensor] => [
      name,
      { name, shape, dtype, file, byteOffset: 8, byteLength: 4 },
    ],
  );
  return { folder: '/models/blip2', tensors: new Map(entries) };
}

const signature = { inputs: { x: f32('batch', 3) }, outputs: { y: f32('batch', 2) } } as const;
const weights = store([
  ['part.fc.weight', [2, 3]],
  ['part.fc.bias', [2]],
]);
const plan = { name: 'layer', signature, weights, prefix: 'part' } as const;
const fc = { inFeatures: 3, outFeatures: 2, bias: true } as const;

function failure(code: string, message: RegExp): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(message) as string });
}

describe('buildGraph', () => {
  test('declares the inputs and outputs of the signature', async () => {
    const model = buildGraph(plan, (g, { x }, root) => ({ y: linear(g, x, root.at('fc'), fc) }));
    const { graph, opsetImport } = await decodeModel(model.serialize());
    expect(model).toMatchObject({
      name: 'layer',
      signature,
      weightsFolder: '/models/blip2',
      weightNames: ['part.fc.weight', 'part.fc.bias'],
    });
    const dims = (infos: readonly ValueInfoProto[]): unknown =>
      infos.map(({ name, type }) => [
        name,
        type?.value.value?.elemType,
        type?.value.value?.shape?.dim.map(({ value }) => value.value),
      ]);
    expect(dims(graph?.input ?? [])).toEqual([['x', 1, ['batch', 3n]]]);
    expect(dims(graph?.output ?? [])).toEqual([['y', 1, ['batch', 2n]]]);
    expect(opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
      ['', 21n],
      ['com.microsoft', 1n],
    ]);
  });

  test('serializes to the same bytes each time, which decode to the same model', async () => {
    const model = buildGraph(plan, (g, { x }, root) => ({ y: linear(g, x, root.at('fc'), fc) }));
    const bytes = model.serialize();
    expect(model.serialize()).toEqual(bytes);
    expect(await encodeModel(await decodeModel(bytes))).toEqual(bytes);
  });

  test('stores weights as external data, in the order of the file format', async () => {
    const model = buildGraph(plan, (g, { x }, root) => ({ y: linear(g, x, root.at('fc'), fc) }));
    const { graph } = await decodeModel(model.serialize());
    const weight = graph?.initializer.find(({ name }) => name === 'part.fc.weight');
    expect(weight).toMatchObject({ dims: [2n, 3n], dataType: 1, dataLocation: 1 });
    expect(weight?.externalData.map(({ key, value }) => [key, value])).toEqual([
      ['location', 'model.safetensors'],
      ['offset', '8'],
      ['length', '4'],
    ]);
  });

  test('keeps unknown fields when a model is decoded and encoded', async () => {
    const bytes = buildGraph(plan, (g, { x }, root) => ({ y: linear(g, x, root.at('fc'), fc) })).serialize();
    // ModelProto.model_version, field 5, a varint.
    const extended = new Uint8Array([...bytes, 0x28, 0x07]);
    expect([...(await encodeModel(await decodeModel(extended)))].slice(-2)).toEqual([0x28, 0x07]);
  });

  test('rejects an output whose shape is not the declared one', () => {
    expect(() => buildGraph(plan, (_, { x }) => ({ y: x }))).toThrow(
      failure('SHAPE_MISMATCH', /layer\.y.*\[batch, 2\].*\[batch, 3\]/),
    );
  });

  test('rejects an output whose type is not the declared one', () => {
    const ids = { inputs: { x: i64('batch', 2) }, outputs: signature.outputs } as const;
    expect(() => buildGraph({ ...plan, signature: ids }, (_, { x }) => ({ y: x as never }))).toThrow(
      failure('SHAPE_MISMATCH', /float32 .*int64/),
    );
  });

  test('rejects a graph that does not compute a declared output', () => {
    expect(() => buildGraph(plan, () => ({ y: undefined as never }))).toThrow(failure('SHAPE_MISMATCH', /layer\.y/));
  });

  test('rejects a checkpoint that lacks a tensor', () => {
    const write = (): unknown =>
      buildGraph({ ...plan, weights: store([['part.fc.weight', [2, 3]]]) }, (g, { x }, root) => ({
        y: linear(g, x, root.at('fc'), fc),
      }));
    expect(write).toThrow(failure('MISSING_WEIGHT', /part\.fc\.bias.*\[2\]/));
  });

  test('rejects a tensor of another shape', () => {
    const write = (): unknown =>
      buildGraph(
        {
          ...plan,
          weights: store([
            ['part.fc.weight', [3, 2]],
            ['part.fc.bias', [2]],
          ]),
        },
        (g, { x }, root) => ({ y: linear(g, x, root.at('fc'), fc) }),
      );
    expect(write).toThrow(failure('SHAPE_MISMATCH', /part\.fc\.weight.*\[2, 3\].*\[3, 2\]/));
  });

  test.each(['I8', 'U8', 'I32', 'I64', 'BOOL'] as const)('rejects a weight stored as %s', (dtype) => {
    const write = (): unknown =>
      buildGraph(
        {
          ...plan,
          weights: store([
            ['part.fc.weight', [2, 3], dtype],
            ['part.fc.bias', [2]],
          ]),
        },
        (g, { x }, root) => ({ y: linear(g, x, root.at('fc'), fc) }),
      );
    expect(write).toThrow(failure('UNSUPPORTED_DTYPE', new RegExp(dtype)));
  });
});

describe('weights', () => {
  test('are located by file, relative to the folder of the store', async () => {
    const sharded = store([
      ['part.fc.weight', [2, 3], 'F32', '/models/blip2/blobs/a1'],
      ['part.fc.bias', [2]],
    ]);
    const model = await decodeModel(
      buildGraph({ ...plan, weights: sharded }, (g, { x }, root) => ({
        y: linear(g, x, root.at('fc'), fc),
      })).serialize(),
    );
    expect(model.graph?.initializer.map(({ name, externalData }) => [name, externalData[0]?.value])).toEqual([
      ['part.fc.weight', 'blobs/a1'],
      ['part.fc.bias', 'model.safetensors'],
    ]);
  });

  test.each([
    ['F16', 10],
    ['BF16', 16],
    ['F64', 11],
  ] as const)('stored as %s are read as such and cast to float32', async (dtype, dataType) => {
    const narrow = store([
      ['part.fc.weight', [2, 3], dtype],
      ['part.fc.bias', [2], dtype],
    ]);
    const { graph } = await decodeModel(
      buildGraph({ ...plan, weights: narrow }, (g, { x }, root) => ({
        y: linear(g, x, root.at('fc'), fc),
      })).serialize(),
    );
    expect(graph?.initializer.map((tensor) => tensor.dataType)).toEqual([dataType, dataType]);
    const casts = graph?.node.filter(({ opType }) => opType === 'Cast') ?? [];
    expect(casts.map(({ input, attribute }) => [input[0], attribute[0]?.i])).toEqual([
      ['part.fc.weight', 1n],
      ['part.fc.bias', 1n],
    ]);
  });

  test('are cast once, even if used several times', async () => {
    const square = { inputs: { x: f32('batch', 3) }, outputs: { y: f32('batch', 3) } } as const;
    const { graph } = await decodeModel(
      buildGraph(
        { name: 'twice', signature: square, weights: store([['w.weight', [3, 3], 'F16']]) },
        (g, { x }, root) => {
          const layer = { inFeatures: 3, outFeatures: 3, bias: false } as const;
          return { y: linear(g, linear(g, x, root.at('w'), layer), root.at('w'), layer) };
        },
      ).serialize(),
    );
    expect(graph?.initializer).toHaveLength(1);
    expect(graph?.node.filter(({ opType }) => opType === 'Cast')).toHaveLength(1);
  });

  test('of an embedding are converted after rows have been picked', async () => {
    const lookup = { inputs: { ids: i64('batch', 'n') }, outputs: { y: f32('batch', 'n', 4) } } as const;
    const { graph } = await decodeModel(
      buildGraph(
        { name: 'embedding', signature: lookup, weights: store([['t.weight', [9, 4], 'F16']]) },
        (g, { ids }, root) => ({
          y: embedding(g, ids, root.at('t'), { numEmbeddings: 9, embeddingSize: 4 }),
        }),
      ).serialize(),
    );
    expect(graph?.node.map(({ opType }) => opType)).toEqual(['Gather', 'Cast', 'Identity']);
  });

  test('are listed by name and shape without a checkpoint', () => {
    const recorded = recordWeights(
      (finder) =>
        void buildGraph({ ...plan, weights: finder }, (g, { x }, root) => {
          const y = linear(g, x, root.at('fc'), fc);
          return { y: reshape(g, root.has('optional') ? root.get('optional', [2]) : y, [0, 2]) };
        }),
    );
    expect(recorded).toMatchObject([
      { name: 'part.fc.weight', shape: [2, 3] },
      { name: 'part.fc.bias', shape: [2] },
    ]);
  });
});
