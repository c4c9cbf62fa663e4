import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { UnsupportedFunctionalityError } from '@ai-sdk/provider';
import { cosineSimilarity, embed, embedMany, generateObject, generateText, type ModelMessage, streamText } from 'ai';
import { afterAll, describe, expect, test } from 'vitest';

import { type Blip2Provider, createBlip2 } from './index.ts';

const file = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const OPT = file('apps/cli/models/blip2-opt-shapes');
const T5 = file('apps/cli/models/blip2-t5-shapes');
const ITM = file('apps/cli/models/blip2-itm-shapes');
const leftOf = readFileSync(file('examples/left-of.png'));
const oneStar = readFileSync(file('examples/one-large-star.png'));
const dataUrl = (image: Buffer): string => `data:image/png;base64,${image.toString('base64')}`;
const CAPTION = 'a blue triangle to the left of a small yellow circle';

const blip2: Blip2Provider = createBlip2();
afterAll(() => blip2.dispose());

const show = (image: Uint8Array | string | URL = leftOf): ModelMessage[] => [
  { role: 'user', content: [{ type: 'image', image }] },
];
const ask = (text: string): ModelMessage[] => [
  {
    role: 'user',
    content: [
      { type: 'text', text },
      { type: 'image', image: leftOf },
    ],
  },
];

describe.each([
  ['OPT', OPT],
  ['T5', T5],
])('generateText with %s', (_, model) => {
  test('describes an image, given as bytes, base64 or data URL', async () => {
    for (const image of [leftOf, leftOf.toString('base64'), dataUrl(leftOf), new URL(dataUrl(leftOf))]) {
      const { text, finishReason, usage, warnings } = await generateText({
        model: blip2(model),
        messages: show(image),
      });
      expect({ text, finishReason, warnings }).toEqual({ text: CAPTION, finishReason: 'stop', warnings: [] });
      expect(usage).toMatchObject({ inputTokens: 12, outputTokens: 12, totalTokens: 24 });
    }
  });

  test('answers a question', async () => {
    const { text, usage } = await generateText({ model: blip2(model), messages: ask('what shape is on the left?') });
    expect(text).toContain('triangle');
    expect(usage.inputTokens).toBeGreaterThan(12);
  });

  test('stops at a number of tokens and at a string', async () => {
    const cut = await generateText({ model: blip2(model), messages: show(), maxOutputTokens: 3 });
    expect(cut).toMatchObject({ text: 'a blue triangle', finishReason: 'length' });
    const stopped = await generateText({ model: blip2(model), messages: show(), stopSequences: [' left'] });
    expect(stopped).toMatchObject({ text: 'a blue triangle to the', finishReason: 'stop' });
    const long = await generateText({ model: blip2(model), messages: show(), maxOutputTokens: 100_000 });
    expect(long.text).toBe(CAPTION);
  });
});

test('a conversation is about the image of its first message', async () => {
  const { text, usage } = await generateText({
    model: blip2(OPT),
    system: 'be short',
    messages: [
      ...show(),
      { role: 'assistant', content: CAPTION },
      { role: 'user', content: 'what color is the triangle?' },
    ],
  });
  expect(text).not.toBe('');
  expect(usage.inputTokens).toBeGreaterThan(30);
});

test('a seed repeats what is sampled', async () => {
  const sample = async (seed: number): Promise<string> =>
    (await generateText({ model: blip2(OPT), messages: show(), temperature: 3, maxOutputTokens: 8, seed })).text;
  expect(await sample(3)).toBe(await sample(3));
  expect(await sample(3)).not.toBe(await sample(4));
});

test('streamText streams the same text in pieces, with usage', async () => {
  const result = streamText({ model: blip2(OPT), messages: show() });
  const pieces: string[] = [];
  for await (const piece of result.textStream) pieces.push(piece);
  expect(pieces.join('')).toBe(CAPTION);
  expect(pieces.length).toBeGreaterThan(5);
  expect(await result.finishReason).toBe('stop');
  expect(await result.usage).toMatchObject({ inputTokens: 12, outputTokens: 12, totalTokens: 24 });
});

describe('an abort', () => {
  test('ends a stream before the next tokens, and the model is free', async () => {
    const controller = new AbortController();
    const pieces: string[] = [];
    const reasons: unknown[] = [];
    const result = streamText({
      model: blip2(OPT),
      messages: show(oneStar),
      abortSignal: controller.signal,
      onAbort: () => void reasons.push('abort'),
    });
    for await (const piece of result.textStream) {
      pieces.push(piece);
      controller.abort();
    }
    expect(reasons).toEqual(['abort']);
    expect(pieces.length).toBeLessThan(4);
    expect((await generateText({ model: blip2(OPT), messages: show() })).text).toBe(CAPTION);
  });

  test('before the call rejects with its reason', async () => {
    const abortSignal = AbortSignal.abort();
    for (const call of [
      () => generateText({ model: blip2(OPT), messages: show(), abortSignal }),
      () => embed({ model: blip2.embeddingModel(ITM), value: 'x', abortSignal }),
    ])
      await expect(call()).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('of a reader ends the generation', async () => {
    const { stream } = await blip2(OPT).doStream({
      prompt: [{ role: 'user', content: [{ type: 'file', data: leftOf, mediaType: 'image/png' }] }],
    });
    const reader = stream.getReader();
    expect((await reader.read()).value).toEqual({ type: 'stream-start', warnings: [] });
    await reader.cancel();
    expect((await generateText({ model: blip2(OPT), messages: show() })).text).toBe(CAPTION);
  });
});

describe('generateObject', () => {
  test('ranks the values of an enum, and reports their probabilities', async () => {
    const { object, providerMetadata } = await generateObject({
      model: blip2(OPT),
      output: 'enum',
      enum: ['red', 'blue', 'green'],
      messages: ask('what color is the triangle?'),
    });
    expect(object).toBe('blue');
    const { probabilities } = providerMetadata?.['blip2'] as {
      probabilities: { value: string; probability: number }[];
    };
    expect(probabilities.map(({ value }) => value).toSorted()).toEqual(['blue', 'green', 'red']);
    expect(probabilities.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
  });

  test('without a question ranks descriptions', async () => {
    const values = ['a large yellow star', CAPTION];
    const { object } = await generateObject({ model: blip2(T5), output: 'enum', enum: values, messages: show() });
    expect(object).toBe(CAPTION);
  });

  test('without a schema is refused', async () => {
    const call = generateObject({ model: blip2(OPT), output: 'no-schema', messages: show() });
    await expect(call).rejects.toBeInstanceOf(UnsupportedFunctionalityError);
  });
});

describe('embeddings', () => {
  test('of texts and images are in one space, of length 1', async () => {
    const model = blip2.embeddingModel(ITM);
    const texts = await embedMany({ model, values: ['a large yellow star', 'a blue triangle'] });
    const images = await embedMany({
      model,
      values: [dataUrl(oneStar), dataUrl(leftOf)],
      providerOptions: { blip2: { input: 'image' } },
    });
    expect(texts.usage.tokens).toBeGreaterThan(5);
    const [star = []] = texts.embeddings;
    const [starImage = [], leftImage = []] = images.embeddings;
    expect(Math.hypot(...star)).toBeCloseTo(1, 5);
    expect(cosineSimilarity(star, starImage)).toBeGreaterThan(cosineSimilarity(star, leftImage));
  });

  test('of more values than one call takes are in order', async () => {
    const model = blip2.embeddingModel(ITM);
    const values = Array.from({ length: 70 }, (_, index) => `a star number ${index}`);
    const { embeddings } = await embedMany({ model, values });
    const { embedding } = await embed({ model, value: values[69] ?? '' });
    expect(embeddings).toHaveLength(70);
    expect(cosineSimilarity(embeddings[69] ?? [], embedding)).toBeCloseTo(1, 5);
  });

  test.each([
    ['a path', { input: 'image' }, 'values'],
    ['an unknown input', { input: 'audio' }, 'providerOptions.blip2.input'],
  ])('%s is refused', async (_, options, argument) => {
    const call = embed({ model: blip2.embeddingModel(ITM), value: '/etc/passwd', providerOptions: { blip2: options } });
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument } });
  });
});

describe('what a model cannot do', () => {
  test('is a warning if the answer is still one', async () => {
    const { warnings } = await generateText({
      model: blip2(OPT),
      messages: show(),
      presencePenalty: 0.5,
      frequencyPenalty: 0.5,
      seed: 3,
    });
    expect(warnings?.map((warning) => 'feature' in warning && warning.feature)).toEqual([
      'presencePenalty',
      'frequencyPenalty',
      'seed',
    ]);
  });

  test.each([
    ['a file', [{ role: 'user', content: [{ type: 'file', data: 'eA==', mediaType: 'application/pdf' }] }]],
    [
      'a file of the assistant',
      [...show(), { role: 'assistant', content: [{ type: 'file', data: 'eA==', mediaType: 'image/png' }] }],
    ],
  ] as [string, ModelMessage[]][])('%s is refused', async (_, messages) => {
    const call = generateText({ model: blip2(OPT), messages });
    await expect(call).rejects.toBeInstanceOf(UnsupportedFunctionalityError);
  });

  test('tools are refused', async () => {
    const tool = { type: 'function', name: 'f', inputSchema: {} } as const;
    const call = async () =>
      blip2(OPT).doGenerate({
        prompt: [{ role: 'user', content: [{ type: 'file', data: leftOf, mediaType: 'image/png' }] }],
        tools: [tool],
      });
    await expect(call()).rejects.toBeInstanceOf(UnsupportedFunctionalityError);
  });

  test.each([
    ['a text without an image', OPT, [{ role: 'user', content: 'hello' }], 'INVALID_ARGUMENT'],
    ['what is not an image', OPT, show(Buffer.from('nothing')), 'INVALID_IMAGE'],
    ['a folder that does not exist', '/nowhere', show(), 'MISSING_FILE'],
  ] as [string, string, ModelMessage[], string][])('%s is an error with a code', async (_, model, messages, code) => {
    await expect(generateText({ model: blip2(model), messages, maxRetries: 0 })).rejects.toMatchObject({ code });
    await expect(async () => {
      const errors: unknown[] = [];
      await streamText({
        model: blip2(model),
        messages,
        maxRetries: 0,
        onError: ({ error }) => void errors.push(error),
      }).consumeStream();
      throw errors[0];
    }).rejects.toMatchObject({ code });
  });
});

test('image URLs are downloaded by the AI SDK, or, if allowed, by BLIP-2 from public addresses only', async () => {
  await using allowing = createBlip2({ allowImageUrls: true });
  expect(await blip2(OPT).supportedUrls).toEqual({});
  expect(Object.keys(await allowing(OPT).supportedUrls)).toEqual(['image/*']);
  const call = generateText({ model: allowing(OPT), messages: show(new URL('http://127.0.0.1:1/x.png')) });
  await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});
