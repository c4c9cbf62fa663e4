import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embedMany, generateObject, generateText, jsonSchema, type ModelMessage, streamText } from 'ai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type DemoServer, LEFT_OF_CAPTION, leftOf, oneStar, startDemoServer } from '../fixtures/demo-server.ts';
import { outcomesAtOnce, reasonsOf, startStrictServer, tooLarge } from '../fixtures/failing-servers.ts';

let server: DemoServer;
let provider: ReturnType<typeof createOpenAICompatible>;
beforeAll(async () => {
  server = await startDemoServer();
  provider = clientOf(server);
});
afterAll(() => server.close());

function clientOf({ url }: DemoServer, apiKey = 'none'): typeof provider {
  return createOpenAICompatible({
    name: 'blip2',
    baseURL: `${url}/v1`,
    apiKey,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
}

const show = (image: Uint8Array = leftOf): ModelMessage[] => [{ role: 'user', content: [{ type: 'image', image }] }];
const ask = (text: string): ModelMessage[] => [
  {
    role: 'user',
    content: [
      { type: 'text', text },
      { type: 'image', image: leftOf },
    ],
  },
];
const COLORS = ['red', 'blue', 'green'];

describe('the AI SDK', () => {
  test('gets captions and answers, with usage and finish reason', async () => {
    const caption = await generateText({ model: provider('opt'), messages: show() });
    expect(caption).toMatchObject({ text: LEFT_OF_CAPTION, finishReason: 'stop', warnings: [] });
    expect(caption.usage).toMatchObject({ inputTokens: 12, outputTokens: 12, totalTokens: 24 });
    const answer = await generateText({ model: provider('t5'), messages: ask('what shape is on the left?') });
    expect(answer.text).toContain('triangle');
    const cut = await generateText({ model: provider('opt'), messages: show(), maxOutputTokens: 3, temperature: 0 });
    expect(cut).toMatchObject({ text: 'a blue triangle', finishReason: 'length' });
  });

  test('continues a conversation about the image of its first message', async () => {
    const messages: ModelMessage[] = [
      ...show(),
      { role: 'assistant', content: [{ type: 'text', text: LEFT_OF_CAPTION }] },
      { role: 'user', content: 'what color is the triangle?' },
    ];
    const { text, usage } = await generateText({ model: provider('opt'), system: 'be short', messages });
    expect(text).not.toBe('');
    expect(usage.inputTokens).toBeGreaterThan(30);
  });

  test('streams the same text, and its usage', async () => {
    const result = streamText({ model: provider('opt'), messages: show() });
    const pieces: string[] = [];
    for await (const piece of result.textStream) pieces.push(piece);
    expect(pieces.join('')).toBe(LEFT_OF_CAPTION);
    expect(pieces.length).toBeGreaterThan(5);
    expect(await result.finishReason).toBe('stop');
    expect(await result.usage).toMatchObject({ inputTokens: 12, outputTokens: 12 });
  });

  test('decides between the values of an enum, with and without a question', async () => {
    const { object } = await generateObject({
      model: provider('opt'),
      output: 'enum',
      enum: COLORS,
      messages: ask('what color is the triangle?'),
    });
    expect(object).toBe('blue');
    const described = await generateObject({
      model: provider('opt'),
      output: 'enum',
      enum: ['a large yellow star', LEFT_OF_CAPTION],
      messages: show(),
    });
    expect(described.object).toBe(LEFT_OF_CAPTION);
    const schema = jsonSchema<{ color: string }>({
      type: 'object',
      properties: { color: { type: 'string', enum: COLORS } },
      required: ['color'],
      additionalProperties: false,
    });
    const own = await generateObject({ model: provider('opt'), schema, messages: ask('what color is the triangle?') });
    expect(own.object).toEqual({ color: 'blue' });
  });

  test('embeds texts', async () => {
    const { embeddings, usage } = await embedMany({
      model: provider.embeddingModel('itm'),
      values: ['a star', 'a circle'],
    });
    expect(embeddings.map((vector) => Math.hypot(...vector))).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]);
    expect(usage.tokens).toBeGreaterThan(4);
  });

  test('aborts a stream, which frees its place', async () => {
    const controller = new AbortController();
    const before = server.entries.length;
    const result = streamText({
      model: provider('opt'),
      messages: show(oneStar),
      maxOutputTokens: 100,
      temperature: 2,
      abortSignal: controller.signal,
      onError: () => {},
    });
    for await (const piece of result.textStream) if (piece !== undefined) controller.abort();
    while (server.entries.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(server.entries.at(-1)).toMatchObject({ status: 200, code: 'ABORTED' });
  });
});

describe('errors that the AI SDK receives', () => {
  let strict: DemoServer;
  beforeAll(async () => void (strict = await startStrictServer()));
  afterAll(() => strict.close());
  const failure = async (client: typeof provider, model: string, messages: ModelMessage[]): Promise<APICallError> => {
    const error: unknown = await generateText({ model: client(model), messages, maxRetries: 0 }).catch(
      (reason: unknown) => reason,
    );
    expect(APICallError.isInstance(error)).toBe(true);
    return error as APICallError;
  };

  test('name the model, the key, the size and the field', async () => {
    expect(await failure(provider, 'none', show())).toMatchObject({
      statusCode: 404,
      isRetryable: false,
      message: expect.stringContaining('"none" does not exist'),
    });
    expect(await failure(clientOf(strict, 'wrong'), 'opt', show())).toMatchObject({ statusCode: 401 });
    expect(await failure(clientOf(strict, 'secret'), 'opt', show(tooLarge))).toMatchObject({ statusCode: 413 });
    expect(await failure(provider, 'opt', [{ role: 'user', content: 'hello' }])).toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('must contain an image'),
    });
  });

  test('may be retried if the server is busy', async () => {
    const client = clientOf(strict, 'secret');
    const outcomes = await outcomesAtOnce(() =>
      generateText({ model: client('opt'), messages: show(), maxRetries: 0 }),
    );
    const reasons = reasonsOf(outcomes);
    expect(reasons.length).toBeGreaterThan(0);
    expect(reasons.length).toBeLessThan(outcomes.length);
    for (const reason of reasons) expect(reason).toMatchObject({ statusCode: 429, isRetryable: true });
  });
});
