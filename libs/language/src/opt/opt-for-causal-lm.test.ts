import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import { OptConfig, readConfig } from '@blip2/config';
import type { Tensor, TokenIds } from '@blip2/interfaces';
import { createSession } from '@blip2/runtime';
import { languageModelConformance } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { CausalRequest } from '../causal/causal-signature.ts';
import { OptForCausalLM } from './opt-for-causal-lm.ts';
import { buildOptDecoder, buildOptEmbedding, optTensors } from './opt-graph.ts';

const root = join(import.meta.dirname, '../../../..');
const whole = {
  opt: join(root, 'tools/parity/cases/opt/checkpoint'),
  'opt-legacy-fp16': join(root, 'tools/parity/cases/opt-legacy-fp16/checkpoint'),
  'blip2-opt-shapes': join(root, 'apps/cli/models/blip2-opt-shapes'),
};
/**
 * Tiny random models of HF: norms after the residual sums and embeddings narrower than hidden states; no biases or
 * learned
 * norms, a separate head.
 */
const alone = {
  'opt-post-norm': join(root, 'tools/parity/cases/values/opt-post-norm'),
  'opt-bare': join(root, 'tools/parity/cases/values/opt-bare'),
};
const cases = Object.entries({ ...whole, ...alone });

function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}
function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return a.length === b.length
    ? Array.from(a).reduce((worst, value, index) => Math.max(worst, Math.abs(value - (b[index] ?? Number.NaN))), 0)
    : Number.NaN;
}

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-opt-'));
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

describe.each(cases)('the language model of %s', (_, folder) => {
  for (const check of languageModelConformance({ create: () => OptForCausalLM.fromPretrained(folder, { threads: 1 }) }))
    test(check.name, check.run);
});

interface Recorded {
  readonly inputIds: readonly TokenIds[];
  readonly attentionMask: readonly TokenIds[];
  readonly loss: readonly number[];
  readonly logits: RecordedTensor;
  readonly hiddenStates: readonly RecordedTensor[];
  readonly attentions: readonly RecordedTensor[];
}
interface RecordedTensor {
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

describe.each(Object.entries(alone))('%s', (_, folder) => {
  test('computes the same as HF', async () => {
    const golden = JSON.parse(await readFile(join(folder, 'values.json'), 'utf8')) as Recorded;
    await using model = await OptForCausalLM.fromPretrained(folder);
    const output = await model.forward(
      { inputIds: golden.inputIds, attentionMask: golden.attentionMask, labels: golden.inputIds },
      { outputHiddenStates: true, outputAttentions: true },
    );
    const expectSame = (got: Tensor<'float32'> | undefined, expected: RecordedTensor, what: string): void => {
      expect(got?.dims, what).toEqual(expected.dims);
      expect(
        largestDifference(
          unpadded(got ?? output.logits),
          unpadded({ ...expected, data: Float32Array.from(expected.data) }),
        ),
        what,
      ).toBeLessThan(2e-5);
    };
    expect(output.loss?.data[0]).toBeCloseTo(golden.loss[0] ?? Number.NaN, 5);
    expectSame(output.logits, golden.logits, 'logits');
    expect(output.hiddenStates).toHaveLength(golden.hiddenStates.length);
    golden.hiddenStates.forEach((expected, layer) =>
      expectSame(output.hiddenStates?.[layer], expected, `hidden states ${layer}`),
    );
    golden.attentions.forEach((expected, layer) =>
      expectSame(output.attentions?.[layer], expected, `attentions ${layer}`),
    );
    expect(output.lastHiddenState.data).toEqual(output.hiddenStates?.at(-1)?.data);
  });

  test('decoding token by token equals one run', async () => {
    await using model = await OptForCausalLM.fromPretrained(folder);
    const ids = [2, 5, 9, 11, 7];
    const { logits } = await model.forward({ inputIds: [ids] });
    const vocabulary = model.vocabularySize;
    await using decoding = await model.start({
      inputsEmbeds: await model.embed([ids.slice(0, 1)]),
      attentionMask: [[1]],
    });
    for (const [position, id] of ids.entries()) {
      if (position > 0) await decoding.extend({ ids: [[id]] });
      expect(
        largestDifference(
          decoding.logits.data,
          logits.data.subarray(position * vocabulary, (position + 1) * vocabulary),
        ),
        `position ${position}`,
      ).toBeLessThan(2e-5);
    }
  });
});

/**
 * The numbers of a tensor `[2, …]` over a prompt whose second row has two positions of padding: those positions are
 * nobody's business.
 */
function unpadded({ dims, data }: { readonly dims: readonly number[]; readonly data: Float32Array }): number[] {
  const axis = dims.length === 4 ? 2 : 1;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = dims[axis] ?? 1;
  const half = data.length / 2;
  return Array.from(data).filter((__, index) => index < half || Math.floor(index / inner) % length >= 2);
}

/** Stored by some checkpoints although it is the embedding: `optTensors` lists it where it is not. */
const tied = 'lm_head.weight';
const flags = [false, true];
const requests: readonly CausalRequest[] = flags.flatMap((cache) =>
  flags.flatMap((hiddenStates) =>
    flags.map((attentions) => ({ cache, hiddenStates, attentions, lastHiddenState: hiddenStates })),
  ),
);

describe('graphs', () => {
  test.each(cases)('of %s use every tensor of the language model once', async (name, folder) => {
    const prefix = name in whole ? 'language_model' : '';
    const config = OptConfig.fromJson(await readConfig(folder));
    const store = await openCheckpoint(folder);
    const stored = [...store.tensors.keys()].filter((key) => key.startsWith(prefix)).toSorted();
    const embedding = buildOptEmbedding(config, store, prefix).weightNames;
    for (const request of requests) {
      const { weightNames } = buildOptDecoder(config, store, prefix, request);
      expect(new Set(weightNames).size).toBe(weightNames.length);
      expect([...new Set([...embedding, ...weightNames])].toSorted(), JSON.stringify(request)).toEqual(stored);
    }
    const recorded = optTensors(config, prefix)
      .map((tensor) => tensor.name)
      .toSorted();
    expect(stored.filter((key) => !recorded.includes(key)).map((key) => key.replace('language_model.', ''))).toEqual(
      config.tieWordEmbeddings && store.tensors.has(prefix ? `${prefix}.${tied}` : tied) ? [tied] : [],
    );
    for (const { name: key, shape } of optTensors(config, prefix)) expect(store.tensors.get(key)?.shape).toEqual(shape);
  });

  test.each(requests)('load and run, %o', async (request) => {
    const config = OptConfig.fromJson(await readConfig(whole.opt));
    await using session = await createSession(
      buildOptDecoder(config, await openCheckpoint(whole.opt), 'language_model', request),
    );
    const { hiddenSize, numHiddenLayers, numAttentionHeads, vocabSize } = config;
    const [batch, sequence, past] = [2, 3, request.cache ? 4 : 0];
    const zeros = (...dims: number[]): Tensor<'float32'> => ({
      type: 'float32',
      dims,
      data: new Float32Array(dims.reduce((a, b) => a * b, 1)),
    });
    const ids = (numbers: number[], ...dims: number[]): Tensor<'int64'> => ({
      type: 'int64',
      dims,
      data: BigInt64Array.from(numbers, BigInt),
    });
    const caches = request.cache
      ? ['key', 'value'].flatMap((kind) =>
          Array.from({ length: numHiddenLayers }, (__, layer) => [
            `past_${kind}.${layer}`,
            zeros(batch, numAttentionHeads, past, hiddenSize / numAttentionHeads),
          ]),
        )
      : [];
    const outputs: Readonly<Record<string, Tensor>> = await session.run({
      inputs_embeds: zeros(batch, sequence, hiddenSize),
      position_ids: ids([2, 3, 4, 2, 3, 4], batch, sequence),
      attention_bias: zeros(batch, 1, sequence, past + sequence),
      logit_positions: ids([2], 1),
      ...(Object.fromEntries(caches) as object),
    } as never);
    expect(outputs['logits']?.dims).toEqual([batch, 1, vocabSize]);
    expect(outputs['hidden_states.1']?.dims).toEqual(request.hiddenStates ? [batch, sequence, hiddenSize] : undefined);
    expect(outputs['attentions.1']?.dims).toEqual(
      request.attentions ? [batch, numAttentionHeads, sequence, past + sequence] : undefined,
    );
    expect(outputs['new_key.1']?.dims).toEqual(request.cache ? [batch, sequence, hiddenSize] : undefined);
  });
});

describe('OptForCausalLM', () => {
  test('returns hidden states and attentions only on request of the call or the configuration', async () => {
    await using model = await OptForCausalLM.fromPretrained(whole.opt);
    expect(Object.keys(await model.forward({ inputIds: [[2, 5]] })).toSorted()).toEqual(['lastHiddenState', 'logits']);
    await using asking = await OptForCausalLM.fromConfig(
      OptConfig.create({ ...tiny, outputHiddenStates: true, outputAttentions: true }),
    );
    expect(await asking.forward({ inputIds: [[2, 5]] })).toMatchObject({
      hiddenStates: { length: 2 },
      attentions: { length: 1 },
    });
    expect(
      await asking.forward({ inputIds: [[2, 5]] }, { outputHiddenStates: false, outputAttentions: false }),
    ).not.toHaveProperty('attentions');
  });

  test('accepts ids and masks as rows or as tensors', async () => {
    await using model = await OptForCausalLM.fromPretrained(whole.opt);
    const rows = await model.forward({ inputIds: [[1, 5, 6]], attentionMask: [[0, 1, 1]] });
    const tensors = await model.forward({
      inputIds: { type: 'int64', dims: [1, 3], data: BigInt64Array.of(1n, 5n, 6n) },
      attentionMask: { type: 'int64', dims: [1, 3], data: BigInt64Array.of(0n, 1n, 1n) },
    });
    expect(tensors.logits.data).toEqual(rows.logits.data);
  });

  test('the loss is the mean over the labels', async () => {
    await using model = await OptForCausalLM.fromPretrained(whole.opt);
    const inputIds = [[2, 5, 6, 7]];
    const loss = async (labels: TokenIds): Promise<number> =>
      (await model.forward({ inputIds, labels: [labels] })).loss?.data[0] ?? Number.NaN;
    expect(await loss([-100, 5, 6, -100])).toBeCloseTo(
      ((await loss([-100, 5, -100, -100])) + (await loss([-100, -100, 6, -100]))) / 2,
      5,
    );
    // The first label judges nothing, and labels of a part stand for the end.
    expect(await loss([9, 5, 6, 7])).toBe(await loss([2, 5, 6, 7]));
    expect(await loss([6, 7])).toBeCloseTo(await loss([-100, -100, -100, 7]), 5);
    expect(await loss([-100, -100, -100, -100])).toBeNaN();
  });

  test('rejects invalid inputs', async () => {
    await using model = await OptForCausalLM.fromPretrained(whole.opt);
    const { maxPositions, vocabularySize } = model;
    await expect(model.forward({})).rejects.toThrow(failure('INVALID_ARGUMENT', /inputIds or inputsEmbeds/));
    await expect(model.forward({ inputIds: [[2]], inputsEmbeds: await model.embed([[2]]) })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /mutually exclusive/),
    );
    await expect(model.embed([[2, vocabularySize]])).rejects.toThrow(
      failure('INVALID_ARGUMENT', new RegExp(`0 to ${vocabularySize - 1}.*${vocabularySize}`)),
    );
    await expect(model.embed([[-1]])).rejects.toThrow(failure('INVALID_ARGUMENT'));
    await expect(model.embed([[2.5]])).rejects.toThrow(failure('INVALID_ARGUMENT'));
    await expect(model.embed([[Number.NaN]])).rejects.toThrow(failure('INVALID_ARGUMENT'));
    await expect(model.embed([[2, 5], [2]])).rejects.toThrow(failure('SHAPE_MISMATCH', /inputIds/));
    await expect(model.forward({ inputIds: [new Array<number>(maxPositions + 1).fill(5)] })).rejects.toThrow(
      failure('SEQUENCE_TOO_LONG', new RegExp(String(maxPositions))),
    );
    await expect(model.forward({ inputIds: [[2, 5]], attentionMask: [[1]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /attentionMask/),
    );
    await expect(model.forward({ inputIds: [[2, 5]], labels: [[2, 5, 6]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /labels/),
    );
    await expect(model.forward({ inputIds: [[2, 5]], labels: [[2, vocabularySize]] })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /labels/),
    );
    const inputsEmbeds = await model.embed([[2, 5]]);
    await expect(model.start({ inputsEmbeds, attentionMask: [[1, 1, 1]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /attentionMask/),
    );
    await expect(model.start({ inputsEmbeds, attentionMask: [] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /attentionMask/),
    );
    await expect(
      model.start({ inputsEmbeds: { ...inputsEmbeds, dims: [1, 1, 112] }, attentionMask: [[1]] }),
    ).rejects.toThrow(failure('SHAPE_MISMATCH', /inputs_embeds/));
    await expect(
      model.start({
        inputsEmbeds: { type: 'float32', dims: [1, 0, 56], data: new Float32Array() },
        attentionMask: [[]],
      }),
    ).rejects.toThrow(failure('INVALID_ARGUMENT', /must not be empty/));
  });

  test('rejects steps of another shape than the decoding', async () => {
    await using model = await OptForCausalLM.fromPretrained(whole.opt);
    await using decoding = await model.start({
      inputsEmbeds: await model.embed([
        [2, 5],
        [2, 6],
      ]),
      attentionMask: [
        [1, 1],
        [1, 1],
      ],
    });
    await expect(decoding.extend({ ids: [[5]] })).rejects.toThrow(failure('SHAPE_MISMATCH', /rows/));
    await expect(decoding.extend({ ids: [[5]], parents: [2] })).rejects.toThrow(failure('INVALID_ARGUMENT', /parents/));
    await expect(decoding.crop(3)).rejects.toThrow(failure('INVALID_ARGUMENT', /1 to 2/));
    await expect(decoding.crop(0)).rejects.toThrow(failure('INVALID_ARGUMENT'));
    const long = new Array<number>(model.maxPositions - 1).fill(5);
    await expect(decoding.extend({ ids: [long, long] })).rejects.toThrow(failure('SEQUENCE_TOO_LONG'));
    expect(decoding.length).toBe(2);
  });

  test('is unchanged after a rejected step', async () => {
    await using model = await OptForCausalLM.fromPretrained(whole.opt);
    const prompt = {
      inputsEmbeds: await model.embed([
        [2, 5],
        [2, 6],
      ]),
      attentionMask: [
        [1, 1],
        [1, 1],
      ],
    };
    await using decoding = await model.start(prompt);
    await using expected = await model.start(prompt);
    const long = new Array<number>(model.maxPositions).fill(5);
    await expect(decoding.extend({ ids: [long, long], parents: [1, 0] })).rejects.toThrow(failure('SEQUENCE_TOO_LONG'));
    expect((await decoding.extend({ ids: [[7], [8]] })).data).toEqual(
      (await expected.extend({ ids: [[7], [8]] })).data,
    );
  });

  test('holds more positions than one growth of the cache', async () => {
    await using model = await OptForCausalLM.fromPretrained(whole.opt);
    const ids = Array.from({ length: 40 }, (_, index) => 5 + (index % 7));
    await using decoding = await model.start({
      inputsEmbeds: await model.embed([ids.slice(0, 30)]),
      attentionMask: [new Array<number>(30).fill(1)],
    });
    for (const id of ids.slice(30)) await decoding.extend({ ids: [[id]] });
    const { logits } = await model.forward({ inputIds: [ids] });
    expect(largestDifference(decoding.logits.data, logits.data.subarray(-model.vocabularySize))).toBeLessThan(1e-4);
  });

  test("creates one session per graph, and the decoder's not for embeddings", async () => {
    const made: string[] = [];
    await using model = await OptForCausalLM.fromPretrained(whole.opt, {
      createSession: (graph, options) => {
        made.push(graph.name);
        return createSession(graph, options);
      },
    });
    await Promise.all([model.embed([[2]]), model.embed([[5]])]);
    expect(made).toEqual(['opt_embedding']);
    await using decoding = await model.start({ inputsEmbeds: await model.embed([[2]]), attentionMask: [[1]] });
    await decoding.extend({ ids: [[5]] });
    expect(made).toEqual(['opt_embedding', 'opt_decoder']);
  });
});

const tiny = {
  vocabSize: 20,
  hiddenSize: 8,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  ffnDim: 12,
  maxPositionEmbeddings: 16,
} as const;

describe('a random OPT', () => {
  test.each([
    {},
    { wordEmbedProjDim: 4, doLayerNormBefore: false },
    { enableBias: false, layerNormElementwiseAffine: false },
  ])('is the same for the same seed, and removes its file: %o', async (more) => {
    const logits = async (seed: number): Promise<Float32Array> => {
      await using model = await OptForCausalLM.fromConfig(OptConfig.create({ ...tiny, ...more }), {
        seed,
        folder: scratch,
      });
      return (await model.forward({ inputIds: [[2, 5]] })).logits.data;
    };
    const first = await logits(1);
    expect(await logits(1)).toEqual(first);
    expect(await logits(2)).not.toEqual(first);
    expect((await readdir(scratch)).filter((name) => name.startsWith('blip2-random'))).toEqual([]);
  });
});

describe('a language model that was saved alone', () => {
  test.each(cases)('of %s computes the same', async (name, folder) => {
    const target = join(scratch, name);
    await using model = await OptForCausalLM.fromPretrained(folder);
    await model.savePretrained(target);
    await using saved = await OptForCausalLM.fromPretrained(target);
    expect((await saved.forward({ inputIds: [[2, 5]] })).logits.data).toEqual(
      (await model.forward({ inputIds: [[2, 5]] })).logits.data,
    );
    expect(JSON.parse(await readFile(join(target, 'config.json'), 'utf8'))).toMatchObject({
      architectures: ['OPTForCausalLM'],
      model_type: 'opt',
      torch_dtype: name === 'opt-legacy-fp16' || name === 'blip2-opt-shapes' ? 'float16' : 'float32',
    });
    expect([...(await openCheckpoint(target)).tensors.keys()]).toContain('model.decoder.embed_tokens.weight');
  });
});

describe('a head that is not tied', () => {
  test('is a separate tensor in a random model', async () => {
    const folder = join(scratch, 'random-head');
    await using model = await OptForCausalLM.fromConfig(OptConfig.create({ ...tiny, tieWordEmbeddings: false }), {
      seed: 1,
      folder: scratch,
    });
    await model.savePretrained(folder);
    expect([...(await openCheckpoint(folder)).tensors.keys()]).toContain('lm_head.weight');
  });

  test('is reported as missing if it is not stored', async () => {
    const folder = join(scratch, 'lost-head');
    await using model = await OptForCausalLM.fromConfig(OptConfig.create(tiny), { seed: 1, folder: scratch });
    await model.savePretrained(folder);
    expect([...(await openCheckpoint(folder)).tensors.keys()]).not.toContain('lm_head.weight');
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...model.config.json, tie_word_embeddings: false }));
    await using untied = await OptForCausalLM.fromPretrained(folder);
    await expect(untied.forward({ inputIds: [[5]] })).rejects.toEqual(failure('MISSING_WEIGHT', /lm_head\.weight/));
  });
});
