/** The Triton configurations in the guide, compared with the files that an export of the demo has. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { ExportManifest } from './export-manifest.ts';
import { exportOnnx } from './export-onnx.ts';

const root = join(import.meta.dirname, '../../../..');
const TYPES: Readonly<Record<string, string>> = { float32: 'TYPE_FP32', int64: 'TYPE_INT64' };

interface Configuration {
  readonly name: string;
  readonly maxBatchSize: number;
  readonly input: readonly Tensor[];
  readonly output: readonly Tensor[];
}
interface Tensor {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
}

let scratch = '';
let manifest: ExportManifest;
let configurations: readonly Configuration[] = [];
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-triton-'));
  manifest = await exportOnnx(join(root, 'apps/cli/models/blip2-opt-shapes'), { folder: join(scratch, 'onnx') });
  const guide = await readFile(join(root, 'docs/guides/export-onnx.md'), 'utf8');
  configurations = [...guide.matchAll(/^```\n(name: "[\s\S]*?)^```/gm)].map(([, text = '']) => parse(text));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

function parse(text: string): Configuration {
  const [, name = ''] = /^name: "(\w+)"/.exec(text) ?? [];
  const tensors = (kind: string): Tensor[] => {
    const [, list = ''] = new RegExp(`^${kind} \\[([\\s\\S]*?)\\]$`, 'm').exec(text) ?? [];
    return [...list.matchAll(/name: "(\w+)" data_type: (\w+) dims: \[([^\]]*)\]/g)].map(
      ([, tensor = '', type = '', dims = '']) => ({ name: tensor, type, dims: dims.split(',').map(Number) }),
    );
  };
  const maxBatchSize = Number(/^max_batch_size: (\d+)$/m.exec(text)?.[1]);
  return { name, maxBatchSize, input: tensors('input'), output: tensors('output') };
}

test('the guide has the configurations of an encoder and of a decoder', () => {
  expect(configurations.map(({ name }) => name)).toEqual(['vision_model', 'decoder_model_merged']);
});

test('inputs and outputs have the names, types and shapes of the files', () => {
  for (const { name, maxBatchSize, input, output } of configurations) {
    const exported = manifest.files[name];
    // Triton adds the batch axis itself, unless there is no batching; axes of any length are -1.
    const stated = (values: NonNullable<typeof exported>['inputs']): readonly Tensor[] =>
      values.map((value) => ({
        name: value.name,
        type: TYPES[value.type] ?? value.type,
        dims: value.shape.slice(maxBatchSize > 0 ? 1 : 0).map((axis) => (typeof axis === 'number' ? axis : -1)),
      }));
    expect(exported, name).toBeDefined();
    // A configuration without tensors leaves them to the graph, which needs `max_batch_size: 0`.
    if (input.length === 0) expect([maxBatchSize, output]).toEqual([0, []]);
    else
      expect({ input, output }).toEqual({
        input: stated(exported?.inputs ?? []),
        output: stated(exported?.outputs ?? []),
      });
  }
});

test('the files of the repository are those of the export', async () => {
  const guide = await readFile(join(root, 'docs/guides/export-onnx.md'), 'utf8');
  const listed = [...guide.matchAll(/^ {2}\w+\/1\/(\S+)$/gm)].map(([, file = '']) => `onnx/${file}`);
  const files = Object.values(manifest.files).flatMap(({ file, data }) => (data === undefined ? [file] : [file, data]));
  expect(listed.length).toBe(4);
  expect(files).toEqual(expect.arrayContaining(listed));
});
