import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { alignPrepacked } from './align-prepacked.ts';
import { externalBytes, mapExternalData } from './external-data.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-align-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const field = (number: number, value: string | Uint8Array): Uint8Array =>
  new BinaryWriter()
    .tag(number, WireType.LengthDelimited)
    .bytes(Buffer.from(value as string))
    .finish();
/** A model with one initializer per list of entries and further fields, with the field numbers of onnx.proto. */
function model(...tensors: Readonly<Record<string, string>>[]): Uint8Array {
  const initializers = tensors.map((entries) =>
    field(
      5,
      Buffer.concat([
        field(8, 'W'),
        ...Object.entries(entries).map(([key, value]) => field(13, Buffer.concat([field(1, key), field(2, value)]))),
      ]),
    ),
  );
  return Buffer.concat([
    new BinaryWriter().tag(1, WireType.Varint).int32(300).finish(),
    field(7, Buffer.concat(initializers)),
    field(2, 'producer'),
  ]);
}
function entriesOf(graph: Uint8Array): string[] {
  const found: string[] = [];
  mapExternalData(graph, ({ key, value }) => {
    found.push(`${key} ${value}`);
    return value;
  });
  return found;
}

test('externalBytes adds up lengths, and unchanged fields keep their bytes', () => {
  const graph = model({ location: 'w', offset: '0', length: '1000' }, { location: 'w', offset: '1000', length: '24' });
  expect(externalBytes(graph)).toBe(1024);
  expect(mapExternalData(graph, ({ value }) => value)).toEqual(new Uint8Array(graph));
});

test('unaligned prepacked weights are moved to aligned offsets at the end', async () => {
  const [graphFile, weightsFile] = [join(folder, 'graph.onnx'), join(folder, 'weights.data')];
  const weights = Uint8Array.from({ length: 300 }, (_, i) => i % 251);
  await writeFile(weightsFile, weights);
  await writeFile(
    graphFile,
    model(
      { offset: '30', length: '9', prepacked_0: 'key|64;10;0' },
      { offset: '3', prepacked_0: 'Op+1|65;10;0|128;4;0|190;100;0', prepacked_1: 'other|1;2;0' },
    ),
  );
  await alignPrepacked(graphFile, weightsFile);
  expect(entriesOf(await readFile(graphFile))).toEqual([
    'offset 30',
    'length 9',
    'prepacked_0 key|64;10;0',
    'offset 3',
    'prepacked_0 Op+1|320;10;0|128;4;0|384;100;0',
    'prepacked_1 other|512;2;0',
  ]);
  const aligned = await readFile(weightsFile);
  expect(aligned).toHaveLength(514);
  expect(new Uint8Array(aligned.subarray(0, 300))).toEqual(weights);
  for (const [from, to, length] of [
    [65, 320, 10],
    [190, 384, 100],
    [1, 512, 2],
  ] as const)
    expect(new Uint8Array(aligned.subarray(to, to + length))).toEqual(weights.subarray(from, from + length));
});

test('aligned files are unchanged, and a blob beyond the end is an error', async () => {
  const [graphFile, weightsFile] = [join(folder, 'aligned.onnx'), join(folder, 'aligned.data')];
  const graph = model({ offset: '1', length: '3', prepacked_0: 'key|0;10;0' });
  await writeFile(weightsFile, new Uint8Array(20));
  await writeFile(graphFile, graph);
  await alignPrepacked(graphFile, weightsFile);
  expect(new Uint8Array(await readFile(graphFile))).toEqual(new Uint8Array(graph));
  await writeFile(graphFile, model({ prepacked_0: 'key|5;100;0' }));
  await expect(alignPrepacked(graphFile, weightsFile)).rejects.toThrow('100 bytes at 5');
});
