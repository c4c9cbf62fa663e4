/** A forward that goes on from what another gave equals one forward over all positions. */
import { join } from 'node:path';

import type { Rows, Tensor } from '@blip2/interfaces';
import { afterAll, describe, expect, test } from 'vitest';

import type { CausalLanguageModel, CausalLMOutput } from '../causal/causal-forward-types.ts';
import { LlamaForCausalLM } from '../llama/llama-for-causal-lm.ts';
import { OptForCausalLM } from '../opt/opt-for-causal-lm.ts';
import type { Seq2SeqLMOutput } from '../seq2seq/seq2seq-language-model.ts';
import { T5ForConditionalGeneration } from '../t5/t5-for-conditional-generation.ts';

const TOLERANCE = 2e-5;
const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const causal: Readonly<Record<string, Promise<CausalLanguageModel & { dispose(): Promise<void> }>>> = {
  opt: OptForCausalLM.fromPretrained(join(cases, 'opt/checkpoint'), { threads: 1 }),
  'opt-post-norm': OptForCausalLM.fromPretrained(
    join(import.meta.dirname, '../../../../tools/parity/cases/values/opt-post-norm'),
    {
      threads: 1,
    },
  ),
  'llama, shared keys': LlamaForCausalLM.fromPretrained(
    join(import.meta.dirname, '../../../../tools/parity/cases/llama/checkpoint'),
    {
      threads: 1,
    },
  ),
  vicuna: LlamaForCausalLM.fromPretrained(join(cases, 'instructblip-llama/checkpoint'), { threads: 1 }),
};
const flan = T5ForConditionalGeneration.fromPretrained(join(cases, 't5/checkpoint'), { threads: 1 });
afterAll(async () => {
  await (await flan).dispose();
  for (const model of Object.values(causal)) await (await model).dispose();
});

/** What lies between `from` and `to` along an axis. */
function slice({ dims, data }: Tensor<'float32'>, axis: number, from: number, to: number): Tensor<'float32'> {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = dims[axis] ?? 0;
  return {
    type: 'float32',
    dims: dims.map((size, index) => (index === axis ? to - from : size)),
    data: data.filter((_, index) => {
      const position = Math.floor(index / inner) % length;
      return position >= from && position < to;
    }),
  };
}

function expectSame(got: Tensor<'float32'> | undefined, expected: Tensor<'float32'>, what: string): void {
  expect(got?.dims, what).toEqual(expected.dims);
  const worst = expected.data.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - (got?.data[index] ?? Number.NaN))),
    0,
  );
  expect(worst, what).toBeLessThan(TOLERANCE);
}

/**
 * Zero in place of positions of padding, the first `PADDED` of row 0: they look at whatever there is, and nobody looks
 * at them. The positions of `axis` are those from `from` on.
 */
function counted({ dims, data, ...tensor }: Tensor<'float32'>, axis: number, from = 0): Tensor<'float32'> {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const row = data.length / (dims[0] ?? 1);
  return {
    ...tensor,
    dims,
    data: data.map((value, index) =>
      index < row && from + (Math.floor(index / inner) % (dims[axis] ?? 1)) < PADDED ? 0 : value,
    ),
  };
}

function failure(code: string, words: RegExp = /./): unknown {
  return expect.objectContaining({ name: 'Blip2Error', code, message: expect.stringMatching(words) as string });
}

const everything = { outputHiddenStates: true, outputAttentions: true, useCache: true } as const;
const ids = [
  [1, 1, 5, 9, 11, 7, 3],
  [2, 6, 4, 8, 10, 12, 5],
];
const PADDED = 2;
const mask = [
  [0, 0, 1, 1, 1, 1, 1],
  [1, 1, 1, 1, 1, 1, 1],
];
const LENGTH = 7;
const part = (rows: readonly (readonly number[])[], from: number, to: number): Rows =>
  rows.map((row) => row.slice(from, to));

describe.each(Object.keys(causal))('%s', (name) => {
  const forwardFrom = async (whole: CausalLMOutput, pieces: readonly number[]): Promise<void> => {
    const model = await causal[name]!;
    let past: CausalLMOutput['pastKeyValues'];
    let from = 0;
    for (const to of pieces) {
      const step = await model.forward(
        { inputIds: part(ids, from, to), attentionMask: part(mask, 0, to), ...(past && { pastKeyValues: past }) },
        everything,
      );
      const expectRows = (got: Tensor<'float32'> | undefined, all: Tensor<'float32'>, what: string, axis = 1): void => {
        expectSame(
          got && counted(got, axis, from),
          counted(slice(all, axis, from, to), axis, from),
          `${what}, from ${from}`,
        );
      };
      expectRows(step.logits, whole.logits, 'logits');
      expectRows(step.lastHiddenState, whole.lastHiddenState, 'lastHiddenState');
      expect([step.hiddenStates?.length, step.attentions?.length]).toEqual([
        whole.hiddenStates!.length,
        whole.attentions!.length,
      ]);
      step.hiddenStates!.forEach((states, layer) =>
        expectRows(states, whole.hiddenStates![layer]!, `hidden states ${layer}`),
      );
      step.attentions!.forEach((maps, layer) =>
        expectRows(maps, slice(whole.attentions![layer]!, 3, 0, to), `attentions ${layer}`, 2),
      );
      past = step.pastKeyValues!;
      from = to;
    }
    expect(past).toHaveLength(whole.pastKeyValues!.length);
    past?.forEach(({ key, value }, layer) => {
      expectSame(counted(key, 2), counted(whole.pastKeyValues![layer]!.key, 2), `keys ${layer}`);
      expectSame(counted(value, 2), counted(whole.pastKeyValues![layer]!.value, 2), `values ${layer}`);
    });
  };

  test.each([[[4, LENGTH]], [[3, 4, 5, LENGTH]], [[6, LENGTH]]])(
    'in chunks that end at %j equals one run',
    async (pieces) => {
      const whole = await (await causal[name]!).forward({ inputIds: ids, attentionMask: mask }, everything);
      await forwardFrom(whole, pieces);
    },
  );

  test('is the same with and without a cache, and returns a cache only on request', async () => {
    const model = await causal[name]!;
    const plain = await model.forward({ inputIds: ids, attentionMask: mask });
    expect(Object.keys(plain).toSorted()).toEqual(['lastHiddenState', 'logits']);
    const first = await model.forward(
      { inputIds: part(ids, 0, 5), attentionMask: part(mask, 0, 5) },
      { useCache: true },
    );
    expect(Object.keys(first).toSorted()).toEqual(['lastHiddenState', 'logits', 'pastKeyValues']);
    const before = first.pastKeyValues!.map(({ key, value }) => [key.data.slice(), value.data.slice()]);
    const rest = await model.forward({
      inputsEmbeds: await model.embed(ids.map((row) => row.slice(5))),
      attentionMask: mask,
      pastKeyValues: first.pastKeyValues!,
    });
    expect(Object.keys(rest).toSorted()).toEqual(['lastHiddenState', 'logits']);
    expectSame(rest.logits, slice(plain.logits, 1, 5, LENGTH), 'logits');
    expect(first.pastKeyValues!.map(({ key, value }) => [key.data, value.data])).toEqual(before);
  });

  test('without a mask nothing is masked, past positions included, and labels are those of new positions', async () => {
    const model = await causal[name]!;
    const whole = await model.forward({ inputIds: ids });
    const { pastKeyValues } = await model.forward({ inputIds: part(ids, 0, 4) }, { useCache: true });
    const rest = await model.forward({
      inputIds: part(ids, 4, LENGTH),
      labels: part(ids, 4, LENGTH),
      pastKeyValues: pastKeyValues!,
    });
    expectSame(rest.logits, slice(whole.logits, 1, 4, LENGTH), 'logits');
    const labelled = await model.forward({ inputIds: ids, labels: part(ids, 4, LENGTH) });
    expect(rest.loss?.data[0]).toBeCloseTo(labelled.loss?.data[0] ?? Number.NaN, 5);
  });

  test('rejects a cache of the wrong shape', async () => {
    const model = await causal[name]!;
    const { pastKeyValues } = await model.forward({ inputIds: [[2, 5, 6]] }, { useCache: true });
    const past = pastKeyValues!;
    const one = { inputIds: [[7]], pastKeyValues: past };
    await expect(model.forward({ ...one, pastKeyValues: past.slice(1) })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /pastKeyValues/),
    );
    await expect(model.forward({ ...one, inputIds: [[7], [8]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /pastKeyValues, layer 0/),
    );
    await expect(model.forward({ ...one, attentionMask: [[1]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /attentionMask/),
    );
    const shorter = slice(past[1]!.value, 2, 0, 2);
    const value = { type: 'float32', dims: [1, shorter.dims[1]!, 2, shorter.dims[3]!], data: shorter.data } as const;
    await expect(model.forward({ ...one, pastKeyValues: past.with(1, { ...past[1]!, value }) })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /pastKeyValues, layer 1/),
    );
    await expect(
      model.forward({
        ...one,
        pastKeyValues: past.with(0, { ...past[0]!, key: { ...past[0]!.key, data: new Float32Array(2) } }),
      }),
    ).rejects.toThrow(failure('SHAPE_MISMATCH'));
    await expect(
      model.forward({ ...one, inputIds: [new Array<number>(model.maxPositions - 2).fill(5)] }),
    ).rejects.toThrow(failure('SEQUENCE_TOO_LONG'));
  });
});

describe('t5', () => {
  const source = {
    inputIds: [
      [5, 6, 7, 8, 9, 1],
      [9, 8, 7, 1, 0, 0],
    ],
    attentionMask: [
      [1, 1, 1, 1, 1, 1],
      [1, 1, 1, 1, 0, 0],
    ],
  };
  const decoderIds = [
    [0, 4, 5, 9, 11, 7, 3],
    [0, 6, 4, 8, 10, 12, 5],
  ];
  /** The second row has a position that nobody may see, in what is past later. */
  const decoderMask = [
    [1, 1, 1, 1, 1, 1, 1],
    [1, 0, 1, 1, 1, 1, 1],
  ];
  const { attentionMask } = source;

  test.each([[[4, LENGTH]], [[1, 2, 5, LENGTH]]])(
    'in chunks that end at %j equals one run, and the encoder runs for the first chunk only',
    async (pieces) => {
      const model = await flan;
      const whole = await model.forward(
        { ...source, decoderInputIds: decoderIds, decoderAttentionMask: decoderMask },
        everything,
      );
      let past: Seq2SeqLMOutput['pastKeyValues'];
      let from = 0;
      for (const to of pieces) {
        const decoder = { decoderInputIds: part(decoderIds, from, to), decoderAttentionMask: part(decoderMask, 0, to) };
        const step: Seq2SeqLMOutput = await model.forward(
          past ? { ...decoder, attentionMask, pastKeyValues: past } : { ...source, ...decoder },
          everything,
        );
        expectSame(step.logits, slice(whole.logits!, 1, from, to), 'logits');
        expectSame(step.lastHiddenState, slice(whole.lastHiddenState!, 1, from, to), 'lastHiddenState');
        expect([
          step.decoderHiddenStates?.length,
          step.decoderAttentions?.length,
          step.crossAttentions?.length,
        ]).toEqual([whole.decoderHiddenStates!.length, whole.decoderAttentions!.length, whole.crossAttentions!.length]);
        step.decoderHiddenStates!.forEach((states, layer) =>
          expectSame(states, slice(whole.decoderHiddenStates![layer]!, 1, from, to), `hidden states ${layer}`),
        );
        step.decoderAttentions!.forEach((maps, layer) =>
          expectSame(
            maps,
            slice(slice(whole.decoderAttentions![layer]!, 2, from, to), 3, 0, to),
            `attentions ${layer}`,
          ),
        );
        step.crossAttentions!.forEach((maps, layer) =>
          expectSame(maps, slice(whole.crossAttentions![layer]!, 2, from, to), `cross-attentions ${layer}`),
        );
        if (from > 0)
          for (const name of ['encoderLastHiddenState', 'encoderHiddenStates', 'encoderAttentions'])
            expect(step).not.toHaveProperty(name);
        past = step.pastKeyValues!;
        from = to;
      }
      expect(past).toHaveLength(model.config.numDecoderLayers);
      past!.forEach((tensors, layer) => {
        for (const name of ['selfKey', 'selfValue', 'crossKey', 'crossValue'] as const)
          expectSame(tensors[name], whole.pastKeyValues![layer]![name], `${name} ${layer}`);
      });
    },
  );

  test('returns a cache only on request, and only if the decoder runs', async () => {
    const model = await flan;
    const plain = await model.forward({ ...source, decoderInputIds: decoderIds });
    expect(Object.keys(plain).toSorted()).toEqual(['encoderLastHiddenState', 'lastHiddenState', 'logits']);
    const first = await model.forward({ ...source, decoderInputIds: part(decoderIds, 0, 5) }, { useCache: true });
    expect(Object.keys(first).toSorted()).toEqual([
      'encoderLastHiddenState',
      'lastHiddenState',
      'logits',
      'pastKeyValues',
    ]);
    expect(Object.keys(await model.forward(source, { useCache: true }))).toEqual(['encoderLastHiddenState']);
    const rest = { decoderInputIds: part(decoderIds, 5, LENGTH), pastKeyValues: first.pastKeyValues! };
    const alone = await model.forward({ ...rest, attentionMask });
    expect(Object.keys(alone).toSorted()).toEqual(['lastHiddenState', 'logits']);
    expectSame(alone.logits, slice(plain.logits!, 1, 5, LENGTH), 'logits');
    const again = await model.forward({ ...rest, ...source });
    expectSame(again.logits, alone.logits!, 'logits beside an encoder that runs');
    expectSame(again.encoderLastHiddenState, plain.encoderLastHiddenState!, 'encoderLastHiddenState');
  });

  test('without a mask no position of the encoder is masked', async () => {
    const model = await flan;
    const { inputIds } = source;
    const whole = await model.forward({ inputIds, decoderInputIds: decoderIds });
    const { pastKeyValues } = await model.forward(
      { inputIds, decoderInputIds: part(decoderIds, 0, 3) },
      { useCache: true },
    );
    const labels = part(decoderIds, 3, LENGTH);
    const rest = await model.forward({
      decoderInputIds: part(decoderIds, 3, LENGTH),
      labels,
      pastKeyValues: pastKeyValues!,
    });
    expectSame(rest.logits, slice(whole.logits!, 1, 3, LENGTH), 'logits');
    expect(rest.loss?.dims).toEqual([1]);
  });

  test('rejects a cache of the wrong shape', async () => {
    const model = await flan;
    const { pastKeyValues } = await model.forward(
      { inputIds: [[5, 6, 1]], decoderInputIds: [[0, 4]] },
      { useCache: true },
    );
    const past = pastKeyValues!;
    const one = { decoderInputIds: [[7]], pastKeyValues: past };
    await expect(model.forward({ pastKeyValues: past })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /decoderInputIds/),
    );
    await expect(model.forward({ pastKeyValues: past, labels: [[4]] })).rejects.toThrow(
      failure('INVALID_ARGUMENT', /decoderInputIds/),
    );
    await expect(model.forward({ ...one, pastKeyValues: past.slice(1) })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /pastKeyValues/),
    );
    await expect(model.forward({ ...one, pastKeyValues: [] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /pastKeyValues/),
    );
    await expect(model.forward({ ...one, decoderInputIds: [[7], [8]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /pastKeyValues/),
    );
    await expect(model.forward({ ...one, attentionMask: [[1, 1]] })).rejects.toThrow(
      failure('SHAPE_MISMATCH', /attentionMask/),
    );
    await expect(model.forward({ ...one, inputIds: [[5, 6]] })).rejects.toThrow(failure('SHAPE_MISMATCH'));
    await expect(model.forward({ ...one, decoderAttentionMask: [[1]] })).rejects.toThrow(failure('SHAPE_MISMATCH'));
    const { crossKey } = past[1]!;
    await expect(
      model.forward({
        ...one,
        pastKeyValues: past.with(1, {
          ...past[1]!,
          crossKey: { ...crossKey, dims: [1, crossKey.dims[1] * 3, 1, crossKey.dims[3]] },
        }),
      }),
    ).rejects.toThrow(failure('SHAPE_MISMATCH', /layer 1/));
    const other = await model.forward(
      {
        inputIds: [
          [5, 6, 1],
          [5, 6, 1],
        ],
        decoderInputIds: [[0], [0]],
      },
      { useCache: true },
    );
    await expect(
      model.forward({
        ...one,
        pastKeyValues: past.map((layer, index) => ({
          ...layer,
          crossKey: other.pastKeyValues![index]!.crossKey,
          crossValue: other.pastKeyValues![index]!.crossValue,
        })),
      }),
    ).rejects.toThrow(failure('SHAPE_MISMATCH'));
  });
});
