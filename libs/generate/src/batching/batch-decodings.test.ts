import type { Decoding, GenerationOptions, LanguageModel, TokenIds } from '@blip2/interfaces';
import { fakeLanguageModel, languageModelConformance, watchLanguageModel } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { generate, generateSteps } from '../generate.ts';
import { createRandom } from '../samplers/random.ts';
import { batchDecodings } from './batch-decodings.ts';
import { runAhead } from './run-ahead.ts';

const create = (architecture: LanguageModel['architecture'] = 'causal'): LanguageModel =>
  fakeLanguageModel({
    architecture,
    vocabularySize: 40,
    specialTokens: { bosTokenId: 0, eosTokenId: 2, padTokenId: 1 },
  });

describe.each(['causal', 'seq2seq'] as const)('a batched %s model', (architecture) => {
  const subject = { create: () => batchDecodings(fakeLanguageModel({ architecture, maxPositions: 40 })) };
  for (const check of languageModelConformance(subject)) test(check.name, check.run);
});

const promptOf = async (model: LanguageModel, ids: TokenIds): Promise<Parameters<typeof generate>[1]> => ({
  inputsEmbeds: await model.embed([ids]),
  attentionMask: [ids.map(() => 1)],
});
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => void setImmediate(resolve));
};

interface Request {
  readonly ids: TokenIds;
  readonly options: GenerationOptions;
  /** Turns of the event loop before it starts. */
  readonly delay: number;
  /** Steps after which its reader leaves. */
  readonly leaves?: number;
}

/** Requests of every kind, in an order that the seed determines. */
function requestsOf(seed: number): Request[] {
  const random = createRandom(seed, 0);
  const below = (limit: number): number => Math.floor(random() * limit);
  return Array.from({ length: 14 }, (_, index) => {
    const kinds: GenerationOptions[] = [
      {},
      { doSample: true, seed: index, temperature: 2, topK: 8 },
      { numBeams: 2 + below(3) },
      { numBeams: 2, doSample: true, seed: index },
      { repetitionPenalty: 1.5, noRepeatNgramSize: 2 },
      { doSample: true, seed: index, numReturnSequences: 2 },
      { promptLookupNumTokens: 3 },
    ];
    return {
      ids: Array.from({ length: 1 + below(6) }, () => 3 + below(30)),
      options: { ...kinds[below(kinds.length)], maxNewTokens: 1 + below(12) },
      delay: below(8),
      ...(below(4) === 0 && { leaves: below(5) }),
    };
  });
}

/** What a request yields; read without delays, or with some. */
async function read(model: LanguageModel, { ids, options, leaves }: Request, pause?: number): Promise<unknown> {
  const prompt = await promptOf(model, ids);
  const steps = generateSteps(model, prompt, options);
  const generation = pause === undefined ? steps : runAhead(steps);
  const tokens: number[][] = [];
  for await (const step of generation) {
    for (const { row, id } of step.tokens) tokens.push([row, id]);
    if (step.step === leaves) break;
    if (pause) await turns(pause);
  }
  const { sequences, finishReasons, sequencesScores } = generation.output();
  return { tokens, sequences, finishReasons, scores: sequencesScores?.map((score) => score.toFixed(4)) };
}

describe('requests that share a model', () => {
  test.each([1, 2, 3, 4, 5, 6])('have the tokens that they have alone, whoever joins and leaves (%i)', async (seed) => {
    for (const architecture of ['causal', 'seq2seq'] as const) {
      const model = create(architecture);
      const requests = requestsOf(seed);
      const alone = [];
      for (const request of requests) alone.push(await read(model, request));
      const shared = batchDecodings(create(architecture), { maxRows: 8 });
      const together = await Promise.all(
        requests.map(async (request, index) => {
          await turns(request.delay);
          return read(shared, request, index % 5 === 4 ? 3 : 0);
        }),
      );
      expect(together).toEqual(alone);
      expect(shared.status).toMatchObject({ rows: 0, waiting: 0 });
      expect(shared.status.rowSteps).toBeGreaterThan(shared.status.steps);
    }
  });

  test('share their steps', async () => {
    const reads: { rows: number; positions: number }[] = [];
    const shared = batchDecodings(watchLanguageModel(create(), (read) => reads.push(read)));
    const prompts = [[5, 6], [7], [8, 9, 5], [6]];
    await Promise.all(
      prompts.map(async (ids) => generate(shared, await promptOf(shared, ids), { maxNewTokens: 6, minNewTokens: 6 })),
    );
    const steps = reads.filter(({ positions }, index) => positions === 1 && index >= prompts.length);
    expect(Math.max(...steps.map(({ rows }) => rows))).toBe(4);
    // 4 × 5 tokens one by one.
    expect(steps.length).toBeLessThan(12);
  });

  test('wait for one prompt and one step of the others at most', async () => {
    const kinds: string[] = [];
    const shared = batchDecodings(
      watchLanguageModel(create(), ({ positions }) => kinds.push(positions > 1 ? 'prompt' : 'step')),
    );
    const options = { maxNewTokens: 10, minNewTokens: 10 };
    const long = { maxNewTokens: 90, minNewTokens: 90 };
    // Two, so that there are turns between their steps.
    const first = Promise.all(
      [
        [5, 6],
        [9, 8],
      ].map(async (ids) => generate(shared, await promptOf(shared, ids), long)),
    );
    await turns(4);
    const before = kinds.length;
    await Promise.all([
      first,
      ...[
        [7, 8],
        [8, 9],
        [9, 5],
        [6, 7],
      ].map(async (ids) => generate(shared, await promptOf(shared, ids), options)),
    ]);
    const during = kinds.slice(before);
    expect(during.filter((kind) => kind === 'prompt')).toHaveLength(4);
    expect(during.join(' ')).not.toMatch(/prompt prompt/);
  });

  test('are at most maxRows', async () => {
    let most = 0;
    const shared = batchDecodings(
      watchLanguageModel(create(), ({ rows }) => (most = Math.max(most, rows))),
      { maxRows: 3 },
    );
    const all = [[5], [6], [7], [8], [9], [10], [11]].map(async (ids) =>
      generate(shared, await promptOf(shared, ids), { maxNewTokens: 5, minNewTokens: 5 }),
    );
    expect((await Promise.all(all)).map(({ sequences }) => sequences[0]?.length)).toEqual(all.map(() => 5));
    expect(most).toBe(3);
  });

  test('fail alone if they do something invalid', async () => {
    const shared = batchDecodings(fakeLanguageModel({ vocabularySize: 40, maxPositions: 12 }));
    const good = generate(shared, await promptOf(shared, [5, 6]), { maxNewTokens: 9, minNewTokens: 9 });
    const bad = await shared.start((await promptOf(shared, [7, 8])) as never);
    await expect(bad.extend({ ids: [[5], [6]] })).rejects.toMatchObject({ code: 'SHAPE_MISMATCH' });
    const long = await shared.start((await promptOf(shared, [7, 8, 9, 7, 8, 9, 7, 8, 9, 7, 8])) as never);
    await long.extend({ ids: [[5]] });
    await expect(long.extend({ ids: [[5]] })).rejects.toMatchObject({ code: 'SEQUENCE_TOO_LONG' });
    await expect(good).resolves.toMatchObject({ finishReasons: ['length'] });
    expect((await good).sequences).toEqual(
      (await generate(create(), await promptOf(create(), [5, 6]), { maxNewTokens: 9, minNewTokens: 9 })).sequences,
    );
  });

  test('end with the error of a step that they shared, and later ones succeed', async () => {
    let fails = false;
    const model = create();
    const broken: LanguageModel = {
      ...model,
      async start(prompt) {
        const decoding = await model.start(prompt);
        const extend = decoding.extend.bind(decoding);
        decoding.extend = async (more) => {
          if (fails) throw new RangeError('the worker has ended');
          return extend(more);
        };
        return decoding;
      },
    };
    const shared = batchDecodings(broken);
    const options = { maxNewTokens: 8, minNewTokens: 8 };
    const all = [[5], [6], [7]].map(async (ids) => generate(shared, await promptOf(shared, ids), options));
    await turns(4);
    fails = true;
    const settled = await Promise.allSettled(all);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    fails = false;
    const { sequences } = await generate(shared, await promptOf(shared, [5]), options);
    expect(sequences).toEqual((await generate(model, await promptOf(model, [5]), options)).sequences);
  });

  test('run one at a time if their model cannot join them', async () => {
    let most = 0;
    const model = watchLanguageModel(create(), ({ rows }) => (most = Math.max(most, rows)));
    const plain: LanguageModel = {
      ...model,
      async start(prompt) {
        const strip = (decoding: Decoding): Decoding => {
          const {
            append: _,
            fork,
            ...rest
          } = Object.assign(Object.create(decoding) as Decoding, {
            extend: decoding.extend,
            crop: decoding.crop,
            fork: decoding.fork,
          });
          return Object.defineProperties(
            { ...rest, fork: async () => strip(await fork.call(decoding)) },
            {
              length: { get: () => decoding.length },
              logits: { get: () => decoding.logits },
              [Symbol.asyncDispose]: { value: () => decoding[Symbol.asyncDispose]() },
            },
          ) as unknown as Decoding;
        };
        return strip(await model.start(prompt));
      },
    };
    const shared = batchDecodings(plain);
    const options = { maxNewTokens: 5, minNewTokens: 5 };
    const together = await Promise.all(
      [[5], [6, 7], [8]].map(async (ids) => generate(shared, await promptOf(shared, ids), options)),
    );
    expect(together[1]?.sequences).toEqual((await generate(model, await promptOf(model, [6, 7]), options)).sequences);
    expect(most).toBe(1);
  });

  test.each([0, -1, 1.5])('refuse maxRows %f', (maxRows) => {
    expect(() => batchDecodings(create(), { maxRows })).toThrow(/maxRows must be/);
  });
});

describe('steps computed ahead', () => {
  test('are not part of the output before they are read', async () => {
    const model = create();
    const options = { maxNewTokens: 6, minNewTokens: 6 };
    const { sequences } = await generate(model, await promptOf(model, [5, 6]), options);
    const generation = runAhead(generateSteps(model, await promptOf(model, [5, 6]), options));
    expect(generation.output().sequences).toEqual([[]]);
    await generation.next();
    await generation.next();
    await turns(5);
    expect(generation.output()).toMatchObject({ sequences: [sequences[0]?.slice(0, 2)], finishReasons: ['aborted'] });
    await generation.return(generation.output());
    expect(generation.output().sequences).toEqual([sequences[0]?.slice(0, 2)]);
  });

  test('are few if they are not read', async () => {
    let reads = 0;
    const model = watchLanguageModel(create(), () => reads++);
    const generation = runAhead(
      generateSteps(model, await promptOf(model, [5, 6]), { maxNewTokens: 30, minNewTokens: 30 }),
    );
    await generation.next();
    await turns(50);
    expect(reads).toBeLessThan(12);
    await generation.return(generation.output());
  });

  test('pass errors and aborts on after the steps before them', async () => {
    const model = create();
    const controller = new AbortController();
    const generation = runAhead(
      generateSteps(model, await promptOf(model, [5, 6]), {
        maxNewTokens: 30,
        minNewTokens: 30,
        signal: controller.signal,
      }),
    );
    await generation.next();
    controller.abort(new RangeError('enough'));
    const rest = async (): Promise<void> => {
      for await (const step of generation) expect(step.tokens).toHaveLength(1);
    };
    await expect(rest()).rejects.toThrow('enough');
  });
});
