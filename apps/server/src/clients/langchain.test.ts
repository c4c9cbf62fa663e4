import { HumanMessage } from '@langchain/core/messages';
import { ChatOllama, OllamaEmbeddings } from '@langchain/ollama';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { dataUrl, type DemoServer, LEFT_OF_CAPTION, leftOf, startDemoServer } from '../fixtures/demo-server.ts';
import { outcomesAtOnce, reasonsOf, startStrictServer, tooLarge } from '../fixtures/failing-servers.ts';

let server: DemoServer;
beforeAll(async () => void (server = await startDemoServer()));
afterAll(() => server.close());

const image = (bytes: Uint8Array = leftOf) => ({ type: 'image_url', image_url: { url: dataUrl(bytes) } });
const show = (bytes: Uint8Array = leftOf): HumanMessage[] => [new HumanMessage({ content: [image(bytes)] })];
const ask = (text: string): HumanMessage[] => [new HumanMessage({ content: [{ type: 'text', text }, image()] })];

const openAi = ({ url }: DemoServer, model = 'opt', apiKey = 'none'): ChatOpenAI =>
  new ChatOpenAI({ model, apiKey, configuration: { baseURL: `${url}/v1` }, maxRetries: 0 });
const ollama = ({ url }: DemoServer, model = 'opt'): ChatOllama =>
  new ChatOllama({ model, baseUrl: url, maxRetries: 0 });

describe.each([
  ['ChatOpenAI', openAi],
  ['ChatOllama', ollama],
])('%s of LangChain', (_, create) => {
  test('gets captions and answers, with usage', async () => {
    const caption = await create(server).invoke(show());
    expect(caption.content).toBe(LEFT_OF_CAPTION);
    expect(caption.usage_metadata).toMatchObject({ input_tokens: 12, output_tokens: 12 });
    expect((await create(server).invoke(ask('what shape is on the left?'))).content).toBe('triangle');
    expect((await create(server, 't5').invoke(show())).content).toContain('triangle');
  });

  test('streams the same text', async () => {
    const pieces: string[] = [];
    for await (const chunk of await create(server).stream(show())) pieces.push(String(chunk.content));
    expect(pieces.join('')).toBe(LEFT_OF_CAPTION);
    expect(pieces.length).toBeGreaterThan(5);
  });

  test('decides between the values of a schema', async () => {
    const schema = {
      title: 'answer',
      type: 'object',
      properties: { shape: { type: 'string', enum: ['star', 'triangle'] } },
      required: ['shape'],
      additionalProperties: false,
    };
    const model = create(server).withStructuredOutput(schema, { method: 'jsonSchema' });
    expect(await model.invoke(ask('what shape is on the left?'))).toEqual({ shape: 'triangle' });
  });

  test('aborts a stream, which frees its place', async () => {
    const controller = new AbortController();
    const before = server.entries.length;
    const stream = await create(server).stream(show(), { signal: controller.signal });
    const reading = (async () => {
      for await (const chunk of stream) if (chunk !== undefined) controller.abort();
    })();
    await reading.catch(() => {});
    while (server.entries.length === before) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await create(server).invoke(show())).content).toBe(LEFT_OF_CAPTION);
  });

  test('is told that a model does not exist', async () => {
    await expect(create(server, 'none').invoke(show())).rejects.toThrow('"none" does not exist');
  });
});

test('embeddings of texts come from the retrieval checkpoint, by either API', async () => {
  const texts = ['a star', 'a circle'];
  const first = await new OpenAIEmbeddings({
    model: 'itm',
    apiKey: 'none',
    configuration: { baseURL: `${server.url}/v1` },
  }).embedDocuments(texts);
  const second = await new OllamaEmbeddings({ model: 'itm', baseUrl: server.url }).embedDocuments(texts);
  expect(first).toHaveLength(2);
  expect(second).toEqual(first);
});

test('a wrong key, a body that is too large and a busy server are errors with a status', async () => {
  await using strict = await startStrictServer();
  await expect(openAi(strict, 'opt', 'wrong').invoke(show())).rejects.toMatchObject({ status: 401 });
  await expect(openAi(strict, 'opt', 'secret').invoke(show(tooLarge))).rejects.toMatchObject({ status: 413 });
  const outcomes = await outcomesAtOnce(() => openAi(strict, 'opt', 'secret').invoke(show()));
  const reasons = reasonsOf(outcomes);
  expect(reasons.length).toBeGreaterThan(0);
  expect(reasons.length).toBeLessThan(outcomes.length);
  for (const reason of reasons) expect(reason).toMatchObject({ status: 429 });
});
