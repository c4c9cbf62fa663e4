/** Language models in files: one that torch exported, and those that this repository writes. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { LanguageModel, Tensor } from '@blip2/interfaces';
import { decodeModel, encodeModel, type ModelProto } from '@blip2/onnx';
import { writeGraph } from '@blip2/part';
import { createSession } from '@blip2/runtime';
import { languageModelConformance, readTensorFile } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { loadLanguageModel } from '../families.ts';
import { onnxLanguageModel, type OnnxLanguageModelOptions } from './onnx-language-model.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const torch = join(cases, 'values/onnx-files');
const file = join(torch, 'onnx/decoder_model_merged.onnx');
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blip2-onnx-file-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}

function largestDifference(a: Tensor, b: Tensor | undefined): number {
  expect(a.dims).toEqual(b?.dims);
  return Math.max(...Array.from(a.data as Float32Array, (value, at) => Math.abs(value - Number(b?.data[at]))));
}

async function changed(name: string, change: (graph: NonNullable<ModelProto['graph']>) => void): Promise<string> {
  const model = await decodeModel(await readFile(file));
  if (model.graph) change(model.graph);
  await writeFile(join(folder, name), await encodeModel(model));
  return join(folder, name);
}

describe('a decoder that torch exported', () => {
  for (const check of languageModelConformance({ create: () => onnxLanguageModel(file) })) test(check.name, check.run);

  test('returns what torch computed, with padding on the left and a past', async () => {
    const golden = JSON.parse(await readFile(join(torch, 'expected.json'), 'utf8'));
    const recorded = readTensorFile(await readFile(join(torch, 'expected.safetensors')));
    await using model = await onnxLanguageModel(file);
    expect(model).toMatchObject({
      architecture: 'causal',
      embeddingSize: 16,
      vocabularySize: 24,
      maxPositions: 32,
      specialTokens: { bosTokenId: 1, eosTokenId: 2 },
    });
    const inputsEmbeds = await model.embed(golden.ids);
    await using decoding = await model.start({ inputsEmbeds, attentionMask: golden.mask });
    expect(largestDifference(decoding.logits, recorded.get('logits'))).toBeLessThan(1e-5);
    const next = await decoding.extend({ ids: golden.next });
    expect(largestDifference(next, recorded.get('next_logits'))).toBeLessThan(1e-5);
  });
});

test('inputs that some exporters add are given: what is new, and how many logits', async () => {
  const path = await changed('more-inputs.onnx', ({ input }) => {
    const ids = input.find(({ name }) => name === 'position_ids');
    const like = (name: string, elemType: number, lengths: readonly bigint[]): void => {
      const copy = structuredClone(ids);
      const type = copy?.type?.value;
      if (!copy || type?.case !== 'tensorType') return;
      copy.name = name;
      type.value.elemType = elemType;
      const dim = type.value.shape?.dim.slice(0, lengths.length) ?? [];
      lengths.forEach((length, at) => {
        const axis = dim[at];
        if (axis && length > 0n) axis.value = { case: 'dimValue', value: length };
      });
      if (type.value.shape) type.value.shape.dim = dim;
      input.push(copy);
    };
    like('use_cache_branch', 9, [1n]);
    like('num_logits_to_keep', 7, []);
    like('cache_position', 7, [0n]);
  });
  const seen: Record<string, unknown>[] = [];
  await using model = await onnxLanguageModel(path, {
    embedTokens: join(torch, 'onnx/embed_tokens.onnx'),
    async createSession(graph, options) {
      const session = await createSession(graph, options);
      return {
        run(inputs) {
          const given = inputs as Readonly<Record<string, Tensor>>;
          const names = ['use_cache_branch', 'num_logits_to_keep', 'cache_position', 'position_ids'];
          seen.push(Object.fromEntries(names.map((name) => [name, Array.from(given[name]?.data ?? [], Number)])));
          return session.run(inputs);
        },
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      };
    },
  });
  const inputsEmbeds = await model.embed([[4, 9, 2]]);
  await using decoding = await model.start({ inputsEmbeds, attentionMask: [[0, 1, 1]] });
  await decoding.extend({ ids: [[5]] });
  expect(seen.filter((each) => (each['position_ids'] as number[]).length > 0).slice(-2)).toEqual([
    { use_cache_branch: [0], num_logits_to_keep: [0], cache_position: [0, 1, 2], position_ids: [0, 0, 1] },
    { use_cache_branch: [1], num_logits_to_keep: [0], cache_position: [3], position_ids: [2] },
  ]);
});

interface Written {
  readonly name: string;
  readonly checkpoint: string;
  readonly operators?: 'standard';
  readonly dtype?: 'fp32' | 'int8' | 'q4';
}

const WRITTEN: readonly Written[] = [
  { name: 'opt', checkpoint: 'opt' },
  { name: 't5', checkpoint: 't5' },
  { name: 'llama', checkpoint: 'llama' },
  { name: 'gemma3, whose windows have rotations of their own', checkpoint: 'gemma3-text', operators: 'standard' },
  { name: 'mistral, which has windows', checkpoint: 'mistral', operators: 'standard' },
  { name: 'gpt2', checkpoint: 'gpt2', operators: 'standard' },
  { name: 't5 in standard operators', checkpoint: 't5', operators: 'standard' },
  // Later steps of T5 have no new encoder positions.
  { name: 't5 in int8', checkpoint: 't5', dtype: 'int8' },
  { name: 'opt in q4', checkpoint: 'opt', dtype: 'q4' },
];

describe.each(WRITTEN)(
  'a model that was exported: $name',
  ({ name, checkpoint, operators, dtype = 'fp32' }: Written) => {
    const source = join(cases, checkpoint, 'checkpoint');
    const own = (): string => join(folder, name.replaceAll(/\W+/g, '-'));
    const create = (): Promise<LanguageModel> =>
      onnxLanguageModel(join(own(), 'decoder_model_merged.onnx'), {
        ...(checkpoint === 't5' && { encoder: join(own(), 'encoder_model.onnx') }),
      });

    beforeAll(async () => {
      await using model = await loadLanguageModel(source, { dtype });
      for (const graph of model.exportGraphs?.() ?? [])
        await writeGraph(join(own(), `${graph.name}.onnx`), graph.model, {
          activationBits: 7,
          opset: 21,
          ...(operators && { operators }),
        });
      await copyFile(join(source, 'config.json'), join(own(), 'config.json'));
    });

    for (const check of languageModelConformance({ create })) test(check.name, check.run);

    test('computes what the part computes, also after steps, reordered rows and padding', async () => {
      // Files have the activations that are right for every processor.
      await using model = await loadLanguageModel(source, {
        dtype,
        createSession: (graph, options) =>
          createSession({ ...graph, serialize: () => graph.serialize({ activationBits: 7 }) }, options),
      });
      await using other = await create();
      const run = async (each: LanguageModel): Promise<Tensor[]> => {
        const inputsEmbeds = await each.embed([
          [4, 9, 2, 7, 11, 3],
          [3, 3, 8, 1, 6, 9],
        ]);
        await using decoding = await each.start({
          inputsEmbeds,
          attentionMask: [
            [1, 1, 1, 1, 1, 1],
            [0, 0, 1, 1, 1, 1],
          ],
        });
        return [
          decoding.logits,
          await decoding.extend({ ids: [[5], [10]] }),
          await decoding.extend({
            ids: [
              [6, 7],
              [1, 2],
              [3, 4],
            ],
            parents: [1, 0, 1],
            logits: 'all',
          }),
        ];
      };
      const [expected, got] = [await run(model), await run(other)];
      for (const [at, tensor] of expected.entries())
        expect(largestDifference(got[at] as Tensor, tensor)).toBeLessThan(1e-4);
    });
  },
);

describe('a token embedding', () => {
  test('may be a matrix in a checkpoint', async () => {
    await using model = await onnxLanguageModel(join(folder, 'llama/decoder_model_merged.onnx'), {
      embedTokens: { folder: join(cases, 'llama/checkpoint'), tensor: 'model.embed_tokens.weight' },
    });
    await using original = await loadLanguageModel(join(cases, 'llama/checkpoint'));
    expect((await model.embed([[1, 5]])).data).toEqual((await original.embed([[1, 5]])).data);
    await using scaled = await onnxLanguageModel(join(folder, 'llama/decoder_model_merged.onnx'), {
      embedTokens: { folder: join(cases, 'llama/checkpoint'), tensor: 'model.embed_tokens.weight', scale: 2 },
    });
    expect((await scaled.embed([[1]])).data).toEqual((await original.embed([[1]])).data.map((value) => 2 * value));
    await expect(model.embed([[10_000]])).rejects.toThrow(failure('INVALID_ARGUMENT', /inputIds/));
  });

  test('that is missing, or of another width, is refused', async () => {
    const alone = join(folder, 'alone');
    await mkdir(alone, { recursive: true });
    await copyFile(file, join(alone, 'decoder_model_merged.onnx'));
    const path = join(alone, 'decoder_model_merged.onnx');
    await expect(onnxLanguageModel(path)).rejects.toThrow(failure('MISSING_FILE', /embedTokens/));
    const wrong = { folder: join(cases, 'llama/checkpoint'), tensor: 'model.embed_tokens.weight' };
    await expect(onnxLanguageModel(path, { embedTokens: wrong })).rejects.toThrow(/embeddingSize|width/);
    const absent = { ...wrong, tensor: 'embed.weight' };
    await expect(onnxLanguageModel(path, { embedTokens: absent })).rejects.toThrow(
      failure('MISSING_WEIGHT', /model\.embed_tokens\.weight/),
    );
    await expect(onnxLanguageModel(path, { embedTokens: 5 as never })).rejects.toThrow(failure('INVALID_ARGUMENT'));
  });
});

describe('a file that does not fit', () => {
  const refused: readonly (readonly [string, () => Promise<string> | string, OnnxLanguageModelOptions, unknown])[] = [
    [
      'an encoder',
      () => join(torch, 'onnx/vision_model.onnx'),
      {},
      failure('UNSUPPORTED_ARCHITECTURE', /pixel_values/),
    ],
    [
      'a decoder of ids',
      () => join(torch, 'onnx/embed_tokens.onnx'),
      {},
      failure('UNSUPPORTED_ARCHITECTURE', /input_ids/),
    ],
    [
      'a decoder of an encoder-decoder model alone',
      () => join(folder, 't5/decoder_model_merged.onnx'),
      {},
      failure('INVALID_ARGUMENT', /encoder must be/),
    ],
    [
      'an encoder for a decoder-only model',
      () => file,
      { encoder: join(torch, 'onnx/vision_model.onnx') },
      failure('INVALID_ARGUMENT', /encoder must be omitted/),
    ],
    [
      'an input that nothing can be given for',
      () =>
        changed('audio.onnx', ({ input }) => {
          const mask = input.find(({ name }) => name === 'position_ids');
          if (mask) mask.name = 'audio_features';
        }),
      {},
      failure('UNSUPPORTED_ARCHITECTURE', /audio_features/),
    ],
    [
      'no past',
      () =>
        changed('no-past.onnx', (graph) => {
          graph.input = graph.input.filter(({ name }) => !name.startsWith('past'));
        }),
      {},
      failure('UNSUPPORTED_ARCHITECTURE', /past_key_values/),
    ],
    [
      'a missing output',
      () =>
        changed('no-present.onnx', (graph) => {
          graph.output = graph.output.filter(({ name }) => name !== 'present.1.value');
        }),
      {},
      failure('UNSUPPORTED_ARCHITECTURE', /present\.1\.value/),
    ],
    ['other sizes', () => file, { headSize: 5 }, failure('INVALID_ARGUMENT', /headSize.*4.*5/)],
    [
      'wrong special tokens',
      () => file,
      { specialTokens: { eosTokenId: -1 } },
      failure('INVALID_ARGUMENT', /eosTokenId/),
    ],
    [
      'unknown special tokens',
      () => file,
      { specialTokens: { eos: 1 } as never },
      failure('INVALID_ARGUMENT', /eosTokenId/),
    ],
    ['unknown options', () => file, { tokens: 1 } as never, failure('UNKNOWN_OPTION', /tokens/)],
  ];
  test.each(refused)('is refused: %s', async (_, path, options, error) => {
    const embedTokens = join(torch, 'onnx/embed_tokens.onnx');
    await expect((async () => onnxLanguageModel(await path(), { embedTokens, ...options }))()).rejects.toThrow(
      error as Error,
    );
  });

  test('prompts of another width are refused', async () => {
    await using model = await onnxLanguageModel(file);
    const inputsEmbeds = { type: 'float32', dims: [1, 1, 3], data: new Float32Array(3) } as const;
    await expect(model.start({ inputsEmbeds, attentionMask: [[1]] })).rejects.toThrow(failure('SHAPE_MISMATCH'));
  });
});
