import { join } from 'node:path';

import { type WatchedRead, watchLanguageModel } from '@blip2/testing';
import { describe, expect, test } from 'vitest';

import { countingEncoder } from '../fixtures/counting-encoder.ts';
import { Blip2, createBlip2 } from '../tasks/blip2.ts';
import type { ImageTasks } from '../tasks/image-tasks.ts';
import { InstructBlip } from '../tasks/instructblip.ts';
import type { BatchingOptions } from './batching-options.ts';

const root = join(import.meta.dirname, '../../../..');
const example = (name: string): string => join(root, 'examples', name);
const [left, three, red, large] = [
  example('left-of.png'),
  example('three-objects.png'),
  example('red-circle-above-blue-square.png'),
  example('one-large-star.png'),
] as const;
const opt = join(root, 'apps/cli/models/blip2-opt-shapes');

/** A call of a task, and what is compared. */
type Call = (tasks: ImageTasks) => Promise<unknown>;
const CALLS: readonly Call[] = [
  async (tasks) => (await tasks.caption(left)).tokenIds,
  async (tasks) => (await tasks.caption(three, { doSample: true, seed: 7, temperature: 1.5 })).tokenIds,
  async (tasks) => (await tasks.answer(three, 'how many objects are there?')).tokenIds,
  async (tasks) => (await tasks.answer(red, 'what color is the circle?', { numBeams: 3 })).tokenIds,
  async (tasks) =>
    (await tasks.rank(red, 'what color is the circle?', ['red', 'blue', 'green'])).map(({ text }) => text),
  async (tasks) => {
    const pieces = [];
    for await (const piece of tasks.caption(large)) {
      pieces.push(piece);
      await new Promise((resolve) => void setTimeout(resolve, 3));
    }
    return pieces;
  },
  async (tasks) => {
    await using chat = await tasks.chat(left);
    const first = await chat.ask('what shape is on the left?');
    return [first.tokenIds, (await chat.ask('what color is it?')).tokenIds];
  },
  async (tasks) => (await tasks.caption([left, red, three])).map(({ tokenIds }) => tokenIds),
  async (tasks) => {
    for await (const piece of tasks.caption(three)) if (piece) break;
    return 'left';
  },
  async (tasks) => {
    const controller = new AbortController();
    const stream = tasks.answer(three, 'what is it?', { signal: controller.signal });
    void stream.catch(() => undefined);
    setTimeout(() => controller.abort(new RangeError('gone')), 5);
    return stream.then(
      () => 'gone',
      () => 'gone',
    );
  },
];

const load = async (
  name: string,
  batching?: boolean | BatchingOptions,
): Promise<ImageTasks & Pick<Blip2, 'batching'>> => {
  const options = { threads: 1, ...(batching !== undefined && { batching }) };
  if (name === 'opt') return Blip2.fromPretrained(opt, options);
  if (name === 't5') return Blip2.fromPretrained(join(root, 'apps/cli/models/blip2-t5-shapes'), options);
  return InstructBlip.fromPretrained(join(root, 'tools/parity/cases/instructblip-llama/checkpoint'), options);
};

describe.each(['opt', 't5', 'instructblip'])('concurrent calls of %s', (name) => {
  test.each<[string, BatchingOptions]>([
    ['batches', {}],
    ['small batches', { maxRows: 3, maxImages: 1 }],
    ['a cache', { imageCacheBytes: 1e9 }],
    ['a cache for one image', { imageCacheBytes: 1e4 }],
  ])('have the tokens of calls one after another, with %s', async (_, batching) => {
    await using plain = await load(name);
    const expected = [];
    for (const call of CALLS) expected.push(await call(plain));
    await using shared = await load(name, batching);
    const calls = [...CALLS, ...CALLS];
    expect(await Promise.all(calls.map((call) => call(shared)))).toEqual([...expected, ...expected]);
    const { decoding, encoding, imageCache } = shared.batching!;
    expect(decoding).toMatchObject({ rows: 0, waiting: 0 });
    expect(decoding.rowSteps).toBeGreaterThan(decoding.steps);
    expect(encoding.waiting).toBe(0);
    if (batching.imageCacheBytes === 1e9) {
      expect(imageCache.hits).toBeGreaterThan(8);
      expect(imageCache.images).toBe(4);
    }
    expect(imageCache.bytes).toBeLessThanOrEqual(batching.imageCacheBytes ?? 0);
  });
});

interface Counted extends AsyncDisposable {
  readonly blip2: Blip2;
  readonly encoded: number[];
  readonly reads: WatchedRead[];
}

async function counted(batching: BatchingOptions): Promise<Counted> {
  const loaded = await Blip2.fromPretrained(opt, { threads: 1 });
  const { vision, qformer, projection, language } = loaded.pipeline;
  const encoded: number[] = [];
  const reads: WatchedRead[] = [];
  const watched = watchLanguageModel(language, (read) => reads.push(read));
  const blip2 = createBlip2(
    { vision: countingEncoder(vision, encoded), qformer, projection, language: watched, processor: loaded.processor },
    { batching },
  );
  return { blip2, encoded, reads, [Symbol.asyncDispose]: () => blip2.dispose() };
}

describe('kept images', () => {
  test('are encoded once, by any call and from any source', async () => {
    await using model = await counted({ imageCacheBytes: 1e9 });
    const { blip2, encoded } = model;
    const url = `data:image/png;base64,${(await import('node:fs')).readFileSync(left).toString('base64')}`;
    await Promise.all([blip2.caption(left), blip2.caption(left), blip2.answer(url, 'what is it?')]);
    await blip2.caption(left);
    expect(encoded).toEqual([1]);
    await blip2.caption(three);
    expect(encoded).toEqual([1, 1]);
    expect(blip2.batching?.imageCache).toMatchObject({ hits: 3, misses: 2, images: 2 });
  });

  test('are dropped when they take too many bytes, the least recently used first', async () => {
    await using model = await counted({ imageCacheBytes: 1e9 });
    const image = await model.blip2.encode(left);
    const bytes = image.prefix.data.byteLength;
    await image[Symbol.asyncDispose]();
    await using small = await counted({ imageCacheBytes: 2.5 * bytes });
    const { blip2, encoded } = small;
    const encode = async (source: string): Promise<void> => (await blip2.encode(source))[Symbol.asyncDispose]();
    await encode(left);
    await encode(three);
    await encode(left);
    await encode(red);
    expect(blip2.batching?.imageCache).toMatchObject({ images: 2, bytes: 2 * bytes });
    await encode(left);
    expect(encoded).toHaveLength(3);
    await encode(three);
    expect(encoded).toHaveLength(4);
  });

  test('are not disposed of while they are in use', async () => {
    await using model = await counted({ imageCacheBytes: 1 });
    const image = await model.blip2.encode(left);
    const again = await model.blip2.encode(left);
    expect(model.encoded).toEqual([1]);
    await image[Symbol.asyncDispose]();
    await image[Symbol.asyncDispose]();
    expect((await model.blip2.caption(again)).tokenIds.length).toBeGreaterThan(0);
    await again[Symbol.asyncDispose]();
    expect(model.blip2.batching?.imageCache.images).toBe(0);
  });

  test('outlive the call that had them encoded, if it is aborted', async () => {
    await using model = await counted({ imageCacheBytes: 1e9 });
    const controller = new AbortController();
    const first = model.blip2.encode(left, { signal: controller.signal });
    const second = model.blip2.caption(left);
    const waiting = second.then(({ text }) => text);
    await new Promise((resolve) => void setTimeout(resolve, 1));
    controller.abort(new RangeError('gone'));
    await first.then(
      (image) => image[Symbol.asyncDispose](),
      (error: unknown) => expect(error).toMatchObject({ message: 'gone' }),
    );
    expect(await waiting).not.toBe('');
  });
});

describe('earlier turns of a conversation', () => {
  test('are not prefilled again by stateless calls', async () => {
    await using model = await counted({ imageCacheBytes: 1e9 });
    const { blip2, reads } = model;
    const raw = { rawPrompt: true } as const;
    const question = 'Question: what shape is on the left? Answer:';
    const { text } = await blip2.answer(left, question, raw);
    const width = (prompt: string): number => blip2.processor.tokenizer.encode(prompt).length;
    const next = `${question} ${text} Question: what color is it? Answer:`;
    reads.length = 0;
    const answer = await blip2.answer(left, next, raw);
    const prefilled = reads.filter(({ positions }) => positions > 1).map(({ positions }) => positions);
    expect(prefilled).toEqual([width(next) - width(`${question} ${text}`)]);
    await using plain = await Blip2.fromPretrained(opt, { threads: 1 });
    expect(answer.tokenIds).toEqual((await plain.answer(left, next, raw)).tokenIds);
    reads.length = 0;
    // The same prompt again: all of it but the last token is known.
    expect((await blip2.answer(left, next, raw)).tokenIds).toEqual(answer.tokenIds);
    expect(reads.every(({ positions }) => positions === 1)).toBe(true);
  });

  test('are found by rankings, too', async () => {
    await using model = await counted({ imageCacheBytes: 1e9 });
    const { blip2, reads } = model;
    const rank = async (): Promise<readonly string[]> =>
      (await blip2.rank(left, 'what color is the triangle?', ['red', 'blue', 'green'])).map(({ text }) => text);
    const first = await rank();
    const before = reads.reduce((sum, { positions }) => sum + positions, 0);
    reads.length = 0;
    expect(await rank()).toEqual(first);
    expect(reads.reduce((sum, { positions }) => sum + positions, 0)).toBeLessThan(before / 3);
  });
});

test.each<[unknown, RegExp]>([
  [{ maxRows: 0 }, /batching.maxRows must be/],
  [{ maxImages: 1.5 }, /batching.maxImages must be/],
  [{ imageCacheBytes: -1 }, /batching.imageCacheBytes must be/],
  [{ maxRow: 4 }, /maxRows/],
  ['yes', /batching must be/],
])('batching %j is refused', async (batching, words) => {
  await expect(Blip2.fromPretrained(opt, { batching: batching as never })).rejects.toThrow(words);
});
