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

interface Broken {
  readonly architecture?: Architecture;
  readonly model?: (model: LanguageModel) => Partial<LanguageModel>;
  readonly prompt?: (prompt: Prompt) => Prompt;
  readonly decoding?: (decoding: Decoding) => Partial<Decoding>;
}

/** A language model broken in one way; forks of a broken decoding are broken too. */
function sabotaged({
  architecture = 'causal',
  model: breakModel,
  prompt: breakPrompt,
  decoding: breakDecoding,
}: Broken): LanguageModel {
  const model = create(architecture)();
  const wrap = (decoding: Decoding): Decoding => {
    const wrapped: Decoding = {
      get length() {
        return decoding.length;
      },
      get logits() {
        return decoding.logits;
      },
      extend: (more) => decoding.extend(more),
      fork: async () => wrap(await decoding.fork()),
      crop: (length) => decoding.crop(length),
      [Symbol.asyncDispose]: () => decoding[Symbol.asyncDispose](),
    };
    return Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(breakDecoding?.(decoding) ?? {}));
  };
  const start: LanguageModel['start'] = async (prompt) => wrap(await model.start(breakPrompt?.(prompt) ?? prompt));
  return { ...model, start, ...breakModel?.({ ...model, start }) };
}

const shifted = (logits: Logits, by: number): Logits => ({ ...logits, data: logits.data.map((value) => value + by) });
/** The same ids, one of them changed. */
const misread = (more: Extension): Extension =>
  'ids' in more ? { ...more, ids: more.ids.map((ids) => ids.map((id) => (id === 8 ? 9 : id))) } : more;

const sabotage: Readonly<Record<string, Broken>> = {
  'gives what its declared widths promise': { model: () => ({ vocabularySize: 41 }) },
  'gives the same scores for the same prompt': {
    decoding: (decoding) => ({ logits: shifted(decoding.logits, Math.random()) }),
  },
  'tells prompts apart': {
    prompt: (prompt) => ({
      ...prompt,
      inputsEmbeds: { ...prompt.inputsEmbeds, data: prompt.inputsEmbeds.data.map(() => 1) },
    }),
  },
  'gives a padded row of a batch the scores it has alone': {
    prompt: (prompt) => ({ ...prompt, attentionMask: prompt.attentionMask.map((row) => row.map(() => 1)) }),
  },
  'refuses more positions than it has': { model: (model) => ({ maxPositions: model.maxPositions - 1 }) },
  'begins a decoder where it is told to': {
    architecture: 'seq2seq',
    prompt: ({ inputsEmbeds, attentionMask }) => ({ inputsEmbeds, attentionMask }),
  },
  'reads several tokens at once as it reads them one at a time': {
    decoding: (decoding) => ({ extend: (more) => decoding.extend(more.logits === 'all' ? misread(more) : more) }),
  },
  'keeps the scores after the last position': { decoding: ({ logits }) => ({ logits }) },
  'reads embeddings as it reads their ids': {
    decoding: (decoding) => ({ extend: (more) => decoding.extend(misread(more)) }),
  },
  'reads a prompt in two parts as in one': {
    decoding: (decoding) => ({ extend: (more) => decoding.extend(misread(more)) }),
  },
  'leaves out the padding of an extension': {
    decoding: (decoding) => ({
      extend: (more) =>
        decoding.extend({
          ...more,
          ...(more.attentionMask && { attentionMask: more.attentionMask.map((row) => row.map(() => 1)) }),
        }),
    }),
  },
  'moves, repeats and drops rows by their parents': {
    decoding: (decoding) => ({
      extend: (more) => decoding.extend({ ...more, ...(more.parents && { parents: more.parents.map(() => 0) }) }),
    }),
  },
  'forks into two decodings that do not disturb each other': {
    decoding: (decoding) => ({ fork: async () => decoding }),
  },
  'outlives its forks, and they it': {
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
  'forgets what is cropped': { decoding: (decoding) => ({ crop: (length) => decoding.crop(length + 1) }) },
  'has no scores of what is cropped': {
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
  'can be disposed of twice, decodings too': {
    decoding: (decoding) => {
      let count = 0;
      return {
        [Symbol.asyncDispose]: () =>
          count++ > 0 ? Promise.reject(new TypeError('released twice')) : decoding[Symbol.asyncDispose](),
      };
    },
  },
  'goes on after a decoding was given up in the middle of its work': {
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
  'refuses work on a decoding that was disposed of': {
    decoding: () => ({ [Symbol.asyncDispose]: async () => undefined }),
  },
  'refuses work after it was disposed of': { model: () => ({ [Symbol.asyncDispose]: async () => undefined }) },
};

describe('a broken language model is noticed', () => {
  for (const { name } of languageModelConformance({ create: create('causal') })) {
    test(`by "${name}"`, async () => {
      const broken = sabotage[name]!;
      const check = languageModelConformance({ create: () => sabotaged(broken) }).find((other) => other.name === name);
      await expect(check!.run()).rejects.toThrow();
    });
  }

  test('a wrapper that breaks nothing conforms', async () => {
    for (const { run } of languageModelConformance({ create: () => sabotaged({}) })) await run();
  });

  test('the error says what was expected', async () => {
    const check = languageModelConformance({
      create: () => sabotaged(sabotage['gives what its declared widths promise']!),
    })[0];
    await expect(check!.run()).rejects.toBeInstanceOf(Blip2Error);
    await expect(check!.run()).rejects.toMatchObject({
      code: 'NOT_CONFORMING',
      details: { expected: '[2,1,41]', got: '[2,1,40]' },
    });
  });
});
