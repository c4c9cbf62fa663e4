import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { Blip2Model } from '../models/blip2-model.ts';
import { openCheckpointParts } from '../parts/checkpoint-parts.ts';
import { Blip2Retrieval } from '../retrieval/blip2-retrieval.ts';
import { Blip2 } from './blip2.ts';

const root = join(import.meta.dirname, '../../../..');
const [model, retrieval] = ['blip2-opt-shapes', 'blip2-itm-shapes'].map((name) => join(root, 'apps/cli/models', name));
const image = join(root, 'examples/left-of.png');
const full = { status: 'rejected', reason: { name: 'Blip2Error', code: 'QUEUE_FULL' } };

let blip2: Blip2;
beforeAll(async () => {
  blip2 = await Blip2.fromPretrained(model ?? '', { threads: 1, maxWaiting: 1 });
});
afterAll(() => blip2.dispose());

test('every task takes its turn: two single calls run, one waits, others are refused', async () => {
  const encoded = await blip2.encode(image);
  const conversation = await blip2.chat(encoded);
  const calls = [
    () => blip2.caption(image),
    () => blip2.answer(image, 'what is it?'),
    () => blip2.rank(image, 'what is it?', ['a star', 'a circle']),
    () => blip2.encode(image),
    () => blip2.chat(image),
    () => conversation.ask('what is it?'),
  ];
  for (const call of calls) {
    const running = Promise.allSettled([blip2.caption(encoded), blip2.caption(encoded), blip2.caption(encoded)]);
    // A stream is admitted when it is first used.
    await turn();
    const [refused] = await Promise.allSettled([call()]);
    expect(refused, String(call)).toMatchObject(full);
    expect((await running).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    await expect(Promise.resolve(call()), String(call)).resolves.toBeDefined();
  }
  expect(conversation.history.length).toBe(1);
});

test('arguments are checked before a call takes its turn', async () => {
  const encoded = await blip2.encode(image);
  await using conversation = await blip2.chat(encoded);
  const typo = { sigal: true } as object;
  const refused = [
    () => blip2.caption(image, typo),
    () => blip2.caption([image], typo),
    () => blip2.answer(image, 'what is it?', typo),
    () => blip2.rank(image, 'what is it?', ['a star'], typo),
    () => blip2.encode(image, typo),
    () => blip2.chat(image, typo),
    () => conversation.ask('what is it?', typo),
  ];
  const running = [0, 1, 2].map(() => blip2.caption(encoded));
  const settled = Promise.allSettled(running);
  await turn();
  for (const call of refused)
    await expect(Promise.resolve(call()), String(call)).rejects.toMatchObject({ code: 'UNKNOWN_OPTION' });
  expect((await settled).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
});

test('a list counts as one call', async () => {
  const lists = [0, 1, 2].map(() => blip2.caption(new Array<string>(3).fill(image)));
  expect(await Promise.allSettled(lists)).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }, full]);
});

test('streams that are read in turns do not wait for each other', async () => {
  const streams = [0, 1, 2].map(() => blip2.caption(image)[Symbol.asyncIterator]());
  const texts = streams.map(() => '');
  for (let isDone = false; !isDone;) {
    const results = [];
    for (const stream of streams) results.push(await stream.next());
    results.forEach(({ value }, index) => (texts[index] += value ?? ''));
    isDone = results.every(({ done }) => done);
  }
  const { text } = await blip2.caption(image);
  expect(texts).toEqual([text, text, text]);
});

test('the calls of whole models are queued as well', async () => {
  await using whole = await Blip2Model.fromPretrained(model ?? '', { threads: 1, maxWaiting: 0 });
  const { imageSize } = whole.config.visionConfig;
  const data = new Float32Array(3 * imageSize ** 2);
  const inputs = { pixelValues: { type: 'float32', dims: [1, 3, imageSize, imageSize], data } } as const;
  const calls = [
    () => whole.forward(inputs),
    () => whole.generate(inputs, { maxNewTokens: 1 }),
    () => whole.scoreSequences(inputs, [[5]]),
    () => whole.encodeImages(inputs.pixelValues),
    () => whole.getImageFeatures(inputs),
    () => whole.getQFormerFeatures(inputs),
    () => whole.getTextFeatures({ inputIds: [[5]] }),
  ];
  for (const call of calls)
    expect(await Promise.allSettled([whole.forward(inputs), whole.forward(inputs), call()])).toMatchObject([
      { status: 'fulfilled' },
      { status: 'fulfilled' },
      full,
    ]);
  const typo = { sigal: true } as object;
  const refused = [
    () => whole.forward(inputs, typo),
    () => whole.generate(inputs, typo),
    () => whole.scoreSequences(inputs, [[5]], typo),
    () => whole.encodeImages(inputs.pixelValues, typo),
    () => whole.getQFormerFeatures(inputs, typo),
  ];
  for (const call of refused)
    expect(await Promise.allSettled([whole.forward(inputs), whole.forward(inputs), call()])).toMatchObject([
      { status: 'fulfilled' },
      { status: 'fulfilled' },
      { reason: { code: 'UNKNOWN_OPTION' } },
    ]);
});

test('the calls of a retrieval model are queued, those of its model included', async () => {
  await using matcher = await Blip2Retrieval.fromPretrained(retrieval ?? '', { threads: 1, maxWaiting: 0 });
  const { imageSize } = matcher.model.config.visionConfig;
  const data = new Float32Array(3 * imageSize ** 2);
  const pixelValues = { type: 'float32', dims: [1, 3, imageSize, imageSize], data } as const;
  const match = (): Promise<unknown> => matcher.match(image, 'a star');
  for (const call of [
    match,
    () => matcher.embed({ text: ['a star'] }),
    () => matcher.classify(image, ['a star']),
    () => matcher.model.forward({ pixelValues, inputIds: [[5]] }),
  ])
    expect(await Promise.allSettled([match(), match(), call()])).toMatchObject([
      { status: 'fulfilled' },
      { status: 'fulfilled' },
      full,
    ]);
  const typo = { sigal: true } as object;
  for (const call of [
    () => matcher.match(image, 'a star', typo),
    () => matcher.embed({ text: ['a star'] }, typo),
    () => matcher.classify(image, ['a star'], typo),
    () => matcher.model.forward({ pixelValues, inputIds: [[5]] }, typo),
  ])
    expect(await Promise.allSettled([match(), match(), call()])).toMatchObject([
      { status: 'fulfilled' },
      { status: 'fulfilled' },
      { reason: { code: 'UNKNOWN_OPTION' } },
    ]);
  const retrieve = (): Promise<unknown> => matcher.retrieve([image], ['a star']);
  expect(await Promise.allSettled([retrieve(), retrieve()])).toMatchObject([{ status: 'fulfilled' }, full]);
});

test('maxWaiting must be an integer of at least 0', async () => {
  await expect(openCheckpointParts(model ?? '', { maxWaiting: -1 })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { argument: 'maxWaiting', got: '-1' },
  });
});
