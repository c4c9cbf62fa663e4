/** Continuous batching over the text families: ids equal those of the same request alone. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { batchDecodings, generate, generateSteps, runAhead } from '@blip2/generate';
import type { GenerationOptions, LanguageModel, TokenIds } from '@blip2/interfaces';
import { loadLanguageModel } from '@blip2/language';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const cases = join(import.meta.dirname, '../../../../tools/parity/cases');
const FAMILIES = ['opt', 'opt-post-norm-projections', 'llama', 'qwen2', 'mistral', 'gpt2', 'gemma3-text', 't5', 'umt5'];

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'blip2-batches-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

interface Request {
  readonly ids: TokenIds;
  readonly options: GenerationOptions;
  /** Turns of the event loop before it starts. */
  readonly delay: number;
  /** Steps after which it is aborted. */
  readonly aborts?: number;
}

const NEW = { maxNewTokens: 14 };
/** Greedy, sampled and beam searches that start and end at different times; some are aborted. */
const REQUESTS: readonly Request[] = [
  { ids: [5, 9, 11, 7], options: { ...NEW, minNewTokens: 14 }, delay: 0 },
  { ids: [8], options: { ...NEW, doSample: true, seed: 1, temperature: 1.5 }, delay: 1 },
  { ids: [12, 6, 5, 9, 11, 7, 30, 8], options: { ...NEW, numBeams: 3 }, delay: 2 },
  { ids: [7, 7, 7], options: { maxNewTokens: 3 }, delay: 2 },
  { ids: [30, 8], options: { ...NEW, doSample: true, seed: 2, topP: 0.9 }, delay: 3, aborts: 4 },
  { ids: [9, 5, 6], options: { ...NEW, repetitionPenalty: 1.3 }, delay: 4 },
  { ids: [11, 12], options: { ...NEW, numBeams: 2, doSample: true, seed: 3 }, delay: 5 },
  { ids: [6, 5, 7, 8, 9, 11], options: { ...NEW, minNewTokens: 10 }, delay: 7, aborts: 2 },
  { ids: [5], options: { ...NEW, noRepeatNgramSize: 2 }, delay: 9 },
  { ids: [8, 9], options: { ...NEW, doSample: true, seed: 4, numReturnSequences: 3 }, delay: 10 },
];

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => void setImmediate(resolve));
};

async function run(model: LanguageModel, { ids, options, aborts }: Request): Promise<unknown> {
  const prompt = { inputsEmbeds: await model.embed([ids]), attentionMask: [ids.map(() => 1)] };
  const controller = new AbortController();
  const generation = runAhead(generateSteps(model, prompt, { ...options, signal: controller.signal }));
  try {
    for await (const { step } of generation) if (step === aborts) controller.abort(new RangeError('gone'));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  // Steps computed ahead of the abort may be read or not.
  const { sequences, finishReasons } = generation.output();
  return aborts === undefined ? { sequences, finishReasons } : sequences[0]?.slice(0, aborts + 1);
}

describe.each(FAMILIES)('a batch of %s', (name) => {
  test.each(['fp32', 'int8'] as const)('has the ids of its requests alone at %s', async (dtype) => {
    await using model = await loadLanguageModel(join(cases, name, 'checkpoint'), {
      threads: 1,
      dtype,
      convertedDir: join(scratch, 'cache'),
    });
    const alone = [];
    for (const request of REQUESTS) alone.push(await run(model, request));
    const shared = batchDecodings(model, { maxRows: 12 });
    const together = await Promise.all(
      REQUESTS.map(async (request) => {
        await turns(request.delay);
        return run(shared, request);
      }),
    );
    expect(together).toEqual(alone);
    // Rows were decoded together.
    expect(shared.status.rowSteps / shared.status.steps).toBeGreaterThan(2);
    expect(shared.status.rows).toBe(0);
  });
});

test('longrope: its rows depend on the longest, so they are decoded one at a time', async () => {
  await using model = await loadLanguageModel(join(cases, 'phi3', 'checkpoint'), { threads: 1 });
  const start = async (): Promise<Awaited<ReturnType<LanguageModel['start']>>> =>
    model.start({ inputsEmbeds: await model.embed([[5, 6]]), attentionMask: [[1, 1]] });
  await using decoding = await start();
  expect(decoding.append).toBeUndefined();
  const shared = batchDecodings(model);
  const prompt = { inputsEmbeds: await model.embed([[5, 6]]), attentionMask: [[1, 1]] };
  const few = { maxNewTokens: 8 };
  const expected = await generate(model, prompt, few);
  const together = await Promise.all([generate(shared, prompt, few), generate(shared, prompt, few)]);
  expect(together.map(({ sequences }) => sequences)).toEqual([expected.sequences, expected.sequences]);
});
