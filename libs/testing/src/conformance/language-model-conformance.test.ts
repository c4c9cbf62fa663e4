import {
  Blip2Error,
  type Decoding,
  type Extension,
  type LanguageModel,
  type Logits,
  type Prompt,
} from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { fakeLanguageModel } from '../fakes/fake-language-model.ts';
import { languageModelConformance } from './language-model-conformance.ts';

type Architecture = LanguageModel['architecture'];
const create = (architecture: Architecture) => (): LanguageModel =>
  fakeLanguageModel({ architecture, maxPositions: 40 });

describe.each(['causal', 'seq2seq'] as const)('the fake %s model conforms', (architecture) => {
  for (const check of languageModelConformance({ create: create(architecture) })) test(check.name, check.run);
});

interface Defect {
  readonly architecture?: Architecture;
  readonly model?: (model: LanguageModel) => Partial<LanguageModel>;
  readonly prompt?: (prompt: Prompt) => Prompt;
  readonly decoding?: (decoding: Decoding) => Partial<Decoding>;
}

/** A language model with one defect, which its forks share. */
function broken({
  architecture = 'causal',
  model: breakModel,
  prompt: breakPrompt,
  decoding: breakDecoding,
}: Defect): LanguageModel {
  const model = create(architecture)();
  const originals = new WeakMap<Decoding, Decoding>();
  const wrap = (decoding: Decoding): Decoding => {
    const wrapped: Decoding = {
      get length() {
        return decoding.length;
      },
      get logits() {
        return decoding.logits;
      },
      extend: (more) => decoding.extend(more),
      fork: async (rows) => wrap(await decoding.fork(rows)),
      crop: (length) => decoding.crop(length),
      append: async (other, rows) => decoding.append?.(originals.get(other) ?? other, rows),
      [Symbol.asyncDispose]: () => decoding[Symbol.asyncDispose](),
    };
    originals.set(wrapped, decoding);
    return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(breakDecoding?.(decoding) ?? {}));
  };
  const start: LanguageModel['start'] = async (prompt) => wrap(await model.start(breakPrompt?.(prompt) ?? prompt));
  return { ...model, start, ...breakModel?.({ ...model, start }) };
}

const shifted = (logits: Logits, by: number): Logits => ({ ...logits, data: logits.data.map((value) => value + by) });
/** Replaces one id by another. */
const replaceId = (more: Extension): Extension =>
  'ids' in more ? { ...more, ids: more.ids.map((ids) => ids.map((id) => (id === 8 ? 9 : id))) } : more;

/** A loss that depends on nothing, with a gradient of ones. */
const constantLoss: Required<LanguageModel>['lossAndGradient'] = async (prefix, targets) => ({
  loss: 1,
  targetCount: targets.flat().length,
  prefixGradient: { ...prefix, data: prefix.data.map(() => 1) },
});
const withConstantLoss: Defect = { model: () => ({ lossAndGradient: constantLoss }) };

const DEFECTS: Readonly<Record<string, Defect>> = {
  'returns a loss, and a gradient in the shape of the prefix, if it offers them': {
    model: () => ({
      lossAndGradient: async (prefix, targets) => ({ ...(await constantLoss(prefix, targets)), targetCount: 1 }),
    }),
  },
  'returns the loss of the next token after a prompt, if it offers them': withConstantLoss,
  'returns a gradient that is the slope of the loss, if it offers them': withConstantLoss,
  'returns equal gradients for rows alone and in a batch, if it offers them': withConstantLoss,
  'refuses rows without targets, if it offers them': withConstantLoss,
  'returns tensors of the declared widths': { model: () => ({ vocabularySize: 41 }) },
  'returns equal logits for equal prompts': {
    decoding: (decoding) => ({ logits: shifted(decoding.logits, Math.random()) }),
  },
  'returns different logits for different prompts': {
    prompt: (prompt) => ({
      ...prompt,
      inputsEmbeds: { ...prompt.inputsEmbeds, data: prompt.inputsEmbeds.data.map(() => 1) },
    }),
  },
  'returns equal logits for a row alone and padded in a batch': {
    prompt: (prompt) => ({ ...prompt, attentionMask: prompt.attentionMask.map((row) => row.map(() => 1)) }),
  },
  'rejects more positions than maxPositions': { model: (model) => ({ maxPositions: model.maxPositions - 1 }) },
  'starts the decoder with decoderInputIds': {
    architecture: 'seq2seq',
    prompt: ({ inputsEmbeds, attentionMask }) => ({ inputsEmbeds, attentionMask }),
  },
  'extends by several tokens as by single tokens': {
    decoding: (decoding) => ({ extend: (more) => decoding.extend(more.logits === 'all' ? replaceId(more) : more) }),
  },
  'keeps the logits of the last position': { decoding: ({ logits }) => ({ logits }) },
  'extends by embeddings as by their ids': {
    decoding: (decoding) => ({ extend: (more) => decoding.extend(replaceId(more)) }),
  },
  'extends a prompt as if it were one prompt': {
    decoding: (decoding) => ({ extend: (more) => decoding.extend(replaceId(more)) }),
  },
  'ignores the padding of an extension': {
    decoding: (decoding) => ({
      extend: (more) =>
        decoding.extend({
          ...more,
          ...(more.attentionMask && { attentionMask: more.attentionMask.map((row) => row.map(() => 1)) }),
        }),
    }),
  },
  'reorders, repeats and drops rows by parents': {
    decoding: (decoding) => ({
      extend: (more) => decoding.extend({ ...more, ...(more.parents && { parents: more.parents.map(() => 0) }) }),
    }),
  },
  'forks into two independent decodings': {
    decoding: (decoding) => ({ fork: async () => decoding }),
  },
  'stays usable after a fork is disposed of, and vice versa': {
    decoding: (decoding) => ({
      async fork() {
        const fork = await decoding.fork();
        const disposeBoth = async (): Promise<void> => {
          await fork[Symbol.asyncDispose]();
          await decoding[Symbol.asyncDispose]();
        };
        return {
          length: fork.length,
          logits: fork.logits,
          extend: fork.extend,
          fork: fork.fork,
          crop: fork.crop,
          [Symbol.asyncDispose]: disposeBoth,
        };
      },
    }),
  },
  'removes cropped positions': { decoding: (decoding) => ({ crop: (length) => decoding.crop(length + 1) }) },
  'appends rows that continue as if they were alone, if it can': {
    decoding: (decoding) => ({
      append: async (other) => {
        await decoding.append?.(other, [0, 0]);
      },
    }),
  },
  'forks some rows, if it can append': {
    decoding: (decoding) => ({ fork: () => decoding.fork() }),
  },
  'lets rows that were appended leave, and others join, if it can': {
    decoding: (decoding) => ({
      extend: (more) => decoding.extend({ ...more, ...(more.parents && { parents: more.parents.map(() => 0) }) }),
    }),
  },
  'has no logits after a crop': {
    decoding: (decoding) => {
      let stale: Logits | undefined;
      return {
        get logits() {
          return stale ?? decoding.logits;
        },
        async crop(length) {
          stale = decoding.logits;
          await decoding.crop(length);
        },
      };
    },
  },
  'can be disposed of twice, as can decodings': {
    decoding: (decoding) => {
      let count = 0;
      return {
        [Symbol.asyncDispose]: () =>
          count++ > 0 ? Promise.reject(new TypeError('released twice')) : decoding[Symbol.asyncDispose](),
      };
    },
  },
  'stays usable if a decoding is disposed of during an extension': {
    decoding: (decoding) => {
      let released = false;
      return {
        async extend(more) {
          const logits = await decoding.extend(more);
          return released ? shifted(logits, 1) : logits;
        },
        async [Symbol.asyncDispose]() {
          released = true;
        },
      };
    },
  },
  'rejects calls of a decoding after disposal': {
    decoding: () => ({ [Symbol.asyncDispose]: async () => undefined }),
  },
  'rejects calls after disposal': { model: () => ({ [Symbol.asyncDispose]: async () => undefined }) },
};

describe('a broken language model is detected', () => {
  for (const { name } of languageModelConformance({ create: create('causal') })) {
    test(`by "${name}"`, async () => {
      const defect = DEFECTS[name]!;
      const check = languageModelConformance({ create: () => broken(defect) }).find((other) => other.name === name);
      await expect(check!.run()).rejects.toThrow();
    });
  }

  test('a wrapper without defects conforms', async () => {
    for (const { run } of languageModelConformance({ create: () => broken({}) })) await run();
  });

  test('the error contains the expected value', async () => {
    const check = languageModelConformance({
      create: () => broken(DEFECTS['returns tensors of the declared widths']!),
    })[0];
    await expect(check!.run()).rejects.toBeInstanceOf(Blip2Error);
    await expect(check!.run()).rejects.toMatchObject({
      code: 'NOT_CONFORMING',
      details: { expected: '[2,1,41]', got: '[2,1,40]' },
    });
  });
});
