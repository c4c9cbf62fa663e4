/**
 * Llama against HF with the same random weights: grouped keys and values (the case `llama`), and Vicuna's shape inside
 * an InstructBLIP checkpoint.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openCheckpoint } from '@blip2/checkpoint';
import { LlamaConfig, readConfig } from '@blip2/config';
import type { Tensor, TokenIds } from '@blip2/interfaces';
import { languageModelConformance, readTensorFile } from '@blip2/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { rotaryFrequencies, rotations } from '../causal/rotary-inputs.ts';
import { LlamaForCausalLM } from './llama-for-causal-lm.ts';
import { llamaTensors } from './llama-graph.ts';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const grouped = join(cases, 'llama/checkpoint');
const vicuna = join(import.meta.dirname, '../../../../tools/parity/cases/instructblip-llama/checkpoint');
/**
 * What `LlamaRotaryEmbedding` of transformers 5.18 has for heads of 32 numbers: inverse frequencies, and cosines at
 * positions 0, 5 and 300.
 */
const scaledRotations = JSON.parse(readFileSync(join(cases, 'values/scaled-rotations.json'), 'utf8')) as readonly {
  readonly json: Readonly<Record<string, unknown>>;
  readonly frequencies: readonly number[];
  readonly cosines: readonly (readonly number[])[];
}[];
/** Largest difference from a number `e` of the golden: `TOLERANCE · (1 + |e|)`. */
const TOLERANCE = 1e-4;

interface Entry {
  readonly name: string;
  readonly inputs: {
    readonly input_ids: readonly TokenIds[];
    readonly attention_mask: readonly TokenIds[];
    readonly labels?: readonly TokenIds[];
  };
  readonly outputs: Readonly<Record<'logits' | 'loss', { readonly tensor: string }>> &
    Readonly<Record<'hidden_states' | 'attentions' | 'scores', { readonly tensors: readonly string[] }>> & {
      readonly new_tokens: readonly TokenIds[];
    };
}

let golden: (name: string) => Entry;
let tensor: (name: string) => Tensor<'float32'>;
let scratch = '';
beforeAll(async () => {
  const { entries } = JSON.parse(await readFile(join(cases, 'llama/golden.json'), 'utf8')) as { entries: Entry[] };
  golden = (name) => entries.find((entry) => entry.name === name)!;
  const recorded = readTensorFile(await readFile(join(cases, 'llama/golden.safetensors')));
  tensor = (name) => recorded.get(name) as Tensor<'float32'>;
  scratch = await mkdtemp(join(tmpdir(), 'blip2-llama-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

function expectClose(actual: ArrayLike<number> | undefined, expected: ArrayLike<number>, what: string): void {
  expect(actual?.length, what).toBe(expected.length);
  Array.from(expected).forEach((value, index) => {
    const got = actual?.[index] ?? Number.NaN;
    if (!(Math.abs(got - value) <= TOLERANCE * (1 + Math.abs(value))))
      expect.fail(`${what}[${index}]: expected ${value}, got ${got}`);
  });
}

function expectTensor(actual: Tensor | undefined, name: string): void {
  expect(actual?.dims, name).toEqual(tensor(name).dims);
  expectClose(actual?.data as Float32Array, tensor(name).data, name);
}

const load = (folder = grouped): Promise<LlamaForCausalLM> => LlamaForCausalLM.fromPretrained(folder, { threads: 1 });

describe('forward', () => {
  test('every output, element by element', async () => {
    await using model = await load();
    const { inputs, outputs } = golden('language_model/ids');
    const actual = await model.forward(
      { inputIds: inputs.input_ids, attentionMask: inputs.attention_mask, labels: inputs.labels! },
      { outputHiddenStates: true, outputAttentions: true },
    );
    expectTensor(actual.logits, outputs.logits.tensor);
    expectTensor(actual.loss, outputs.loss.tensor);
    expect([actual.hiddenStates?.length, actual.attentions?.length]).toEqual([3, 2]);
    outputs.hidden_states.tensors.forEach((name, layer) => expectTensor(actual.hiddenStates?.[layer], name));
    outputs.attentions.tensors.forEach((name, layer) => expectTensor(actual.attentions?.[layer], name));
    expect(actual.lastHiddenState.data).toEqual(actual.hiddenStates?.at(-1)?.data);
  });

  test('is the same without hidden states and attentions, which another operator computes', async () => {
    await using model = await load();
    const { inputs, outputs } = golden('language_model/ids');
    const actual = await model.forward({ inputIds: inputs.input_ids });
    expectTensor(actual.logits, outputs.logits.tensor);
    expect(Object.keys(actual).sort()).toEqual(['lastHiddenState', 'logits']);
  });

  test('counts padding as positions, as HF does', async () => {
    await using model = await load();
    const { inputs, outputs } = golden('language_model/padded_left');
    const { logits } = await model.forward({ inputIds: inputs.input_ids, attentionMask: inputs.attention_mask });
    const expected = tensor(outputs.logits.tensor);
    const [, positions, vocabulary] = logits.dims;
    inputs.attention_mask.forEach((row, index) =>
      row.forEach((counts, position) => {
        const start = (index * positions + position) * vocabulary;
        if (counts)
          expectClose(
            logits.data.subarray(start, start + vocabulary),
            expected.data.subarray(start, start + vocabulary),
            `row ${index}, position ${position}`,
          );
      }),
    );
  });
});

describe('decoding', () => {
  test.each(['language_model/generate', 'language_model/generate_padded_left'])(
    '%s: the logits of every step, with positions counted by the mask',
    async (name) => {
      await using model = await load();
      const { inputs, outputs } = golden(name);
      await using decoding = await model.start({
        inputsEmbeds: await model.embed(inputs.input_ids),
        attentionMask: inputs.attention_mask,
      });
      for (const [step, expected] of outputs.scores.tensors.entries()) {
        if (step > 0) await decoding.extend({ ids: outputs.new_tokens.map((row) => [row[step - 1]!]) });
        expectClose(decoding.logits.data, tensor(expected).data, `step ${step}`);
      }
    },
  );

  test('several tokens in one step equal the full forward', async () => {
    await using model = await load(vicuna);
    const ids = [2, 5, 9, 11, 7, 30, 8];
    const { logits } = await model.forward({ inputIds: [ids] });
    await using decoding = await model.start({
      inputsEmbeds: await model.embed([ids.slice(0, 3)]),
      attentionMask: [[1, 1, 1]],
    });
    expectClose(
      (await decoding.extend({ ids: [ids.slice(3)], logits: 'all' })).data,
      logits.data.subarray(3 * model.vocabularySize),
      'scores',
    );
  });
});

describe.each([
  ['grouped', grouped],
  ['vicuna', vicuna],
])('the seam, %s', (_, folder) => {
  for (const check of languageModelConformance({ create: () => load(folder) })) test(check.name, check.run);
});

describe('checkpoints', () => {
  test.each([
    [grouped, ''],
    [vicuna, 'language_model'],
  ])('the graphs use every tensor of %s, and no other', async (folder, prefix) => {
    const { tensors } = await openCheckpoint(folder);
    const stored = [...tensors.values()]
      .filter(({ name }) => prefix === '' || name.startsWith(`${prefix}.`))
      .map(({ name, shape }) => [name, shape]);
    expect(
      llamaTensors(LlamaConfig.fromJson(await readConfig(folder)), prefix)
        .map(({ name, shape }) => [name, shape])
        .sort(),
    ).toEqual(stored.sort());
  });

  test('a saved model computes the same', async () => {
    await using model = await load(vicuna);
    await model.savePretrained(join(scratch, 'saved'));
    expect(await readConfig(join(scratch, 'saved'))).toMatchObject({
      model_type: 'llama',
      architectures: ['LlamaForCausalLM'],
      hidden_size: 48,
    });
    await using again = await load(join(scratch, 'saved'));
    expect((await again.forward({ inputIds: [[5, 6, 7]] })).logits.data).toEqual(
      (await model.forward({ inputIds: [[5, 6, 7]] })).logits.data,
    );
  });

  test('random weights depend on the seed', async () => {
    const config = LlamaConfig.create({
      vocabSize: 20,
      hiddenSize: 8,
      intermediateSize: 12,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
    });
    const scores = async (seed: number): Promise<Float32Array> => {
      await using model = await LlamaForCausalLM.fromConfig(config, { seed, threads: 1 });
      return (await model.forward({ inputIds: [[5, 6]] })).logits.data;
    };
    expect(await scores(1)).toEqual(await scores(1));
    expect(await scores(1)).not.toEqual(await scores(2));
  });

  test('a head that is neither stored nor tied is reported as missing', async () => {
    const folder = join(scratch, 'untied');
    await using model = await load();
    await model.savePretrained(folder);
    await writeFile(join(folder, 'config.json'), JSON.stringify({ ...model.config.json, tie_word_embeddings: false }));
    await using untied = await load(folder);
    await expect(untied.forward({ inputIds: [[5]] })).rejects.toMatchObject({
      code: 'MISSING_WEIGHT',
      message: expect.stringContaining('lm_head.weight') as string,
    });
  });

  test('rejects invalid inputs', async () => {
    await using model = await load();
    await expect(model.forward({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(model.forward({ inputIds: [[40]] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(model.forward({ inputIds: [[5, 6]], attentionMask: [[1]] })).rejects.toMatchObject({
      code: 'SHAPE_MISMATCH',
    });
    await expect(model.forward({ inputIds: [new Array<number>(49).fill(5)] })).rejects.toMatchObject({
      code: 'SEQUENCE_TOO_LONG',
    });
    await expect(
      load(join(import.meta.dirname, '../../../../tools/parity/cases/opt/checkpoint')),
    ).rejects.toMatchObject({
      code: 'UNSUPPORTED_ARCHITECTURE',
    });
  });
});

describe('rotations', () => {
  test('rotate pair i at position p by p · theta^(−2i / headDim)', () => {
    const { rotation_rows, rotation_cos, rotation_sin } = rotations(
      { rotaryDim: 4, ropeTheta: 100, ropeScaling: undefined },
      [
        [0, 3],
        [1, 2],
      ],
    );
    expect(rotation_rows).toEqual({ type: 'int64', dims: [2, 2], data: BigInt64Array.of(0n, 1n, 2n, 3n) });
    expect(rotation_cos.dims).toEqual([4, 2]);
    expectClose(
      rotation_cos.data,
      [1, 1, Math.cos(3), Math.cos(0.3), Math.cos(1), Math.cos(0.1), Math.cos(2), Math.cos(0.2)],
      'cos',
    );
    expectClose(
      rotation_sin.data,
      [0, 0, Math.sin(3), Math.sin(0.3), Math.sin(1), Math.sin(0.1), Math.sin(2), Math.sin(0.2)],
      'sin',
    );
  });

  test.each(scaledRotations)('of $json.type$json.rope_type are those of HF', ({ json, frequencies, cosines }) => {
    const config = LlamaConfig.fromJson({
      model_type: 'llama',
      hidden_size: 64,
      num_attention_heads: 2,
      max_position_embeddings: 512,
      rope_scaling: json,
    });
    const relative = rotaryFrequencies(config).map((frequency, pair) => frequency / (frequencies[pair] ?? 0) - 1);
    expect(Math.max(...relative.map(Math.abs))).toBeLessThan(3e-7);
    expectClose(rotations(config, [[0, 5, 300]]).rotation_cos.data, cosines.flat(), 'cos');
  });
});
