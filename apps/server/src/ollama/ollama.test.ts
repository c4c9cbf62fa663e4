import { Ollama } from 'ollama';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64, type DemoServer, LEFT_OF_CAPTION, leftOf, startDemoServer } from '../fixtures/demo-server.ts';
import { keepAliveMs } from './keep-alive.ts';

let server: DemoServer;
let client: Ollama;
beforeAll(async () => {
  server = await startDemoServer();
  client = new Ollama({ host: server.url });
});
afterAll(() => server.close());

const image = base64(leftOf);
const QUESTION = 'what shape is on the left?';

describe('the client of Ollama', () => {
  test('gets a caption for an image without a prompt, and an answer for one with a prompt', async () => {
    const caption = await client.generate({ model: 'opt', prompt: '', images: [image], stream: false });
    expect(caption).toMatchObject({ model: 'opt', response: LEFT_OF_CAPTION, done: true, done_reason: 'stop' });
    expect(caption.eval_count).toBe(12);
    expect(caption.total_duration).toBeGreaterThanOrEqual(caption.eval_duration);
    const answer = await client.generate({ model: 'opt', prompt: QUESTION, images: [leftOf], stream: false });
    expect(answer.response).toBe('triangle');
  });

  test('streams messages', async () => {
    const messages = [{ role: 'user', content: '', images: [image] }];
    const parts: string[] = [];
    let last;
    for await (const part of await client.chat({ model: 'opt', messages, stream: true })) {
      parts.push(part.message.content);
      last = part;
    }
    expect(parts.join('')).toBe(LEFT_OF_CAPTION);
    expect(parts.length).toBeGreaterThan(5);
    expect(last).toMatchObject({ done: true, done_reason: 'stop', eval_count: 12 });
  });

  test('splits text and image into two messages, as LangChain does', async () => {
    const messages = [
      { role: 'user', content: QUESTION },
      { role: 'user', content: '', images: [image] },
    ];
    const { message } = await client.chat({ model: 'opt', messages });
    expect(message).toEqual({ role: 'assistant', content: 'triangle' });
  });

  test('limits tokens and gets a value of a schema', async () => {
    const cut = await client.generate({ model: 'opt', prompt: '', images: [image], options: { num_predict: 3 } });
    expect(cut).toMatchObject({ response: 'a blue triangle', done_reason: 'length' });
    const format = { type: 'object', properties: { shape: { enum: ['star', 'triangle'] } } };
    const chosen = await client.generate({ model: 'opt', prompt: QUESTION, images: [image], format });
    expect(JSON.parse(chosen.response ?? '')).toEqual({ shape: 'triangle' });
  });

  test('lists and describes models, and embeds texts', async () => {
    expect((await client.list()).models.map(({ name }) => name)).toEqual(['opt', 't5', 'itm']);
    expect((await client.show({ model: 'opt' })).capabilities).toEqual(['completion', 'vision']);
    expect((await client.ps()).models.map(({ name }) => name)).toContain('opt');
    expect((await client.version()).version).toMatch(/^\d+\.\d+\.\d+$/);
    const { embeddings } = await client.embed({ model: 'itm', input: ['a star', 'a circle'] });
    expect(embeddings.map((vector) => Math.hypot(...vector).toFixed(4))).toEqual(['1.0000', '1.0000']);
  });

  test('loads and unloads a model', async () => {
    const loaded = async (): Promise<string[]> => (await client.ps()).models.map(({ name }) => name);
    expect(await client.generate({ model: 't5', prompt: '', keep_alive: '5m' })).toMatchObject({ done_reason: 'load' });
    expect(await loaded()).toContain('t5');
    expect(await client.generate({ model: 't5', prompt: '', keep_alive: 0 })).toMatchObject({ done_reason: 'unload' });
    expect(await loaded()).not.toContain('t5');
  });

  test('is told what is wrong', async () => {
    await expect(client.generate({ model: 'llama3', prompt: 'x', images: [image] })).rejects.toMatchObject({
      status_code: 404,
    });
    await expect(client.generate({ model: 'opt', prompt: 'hello' })).rejects.toThrow('must contain an image');
    await expect(
      client.chat({ model: 'opt', messages: [{ role: 'user', content: 'x' }], format: 'json' }),
    ).rejects.toThrow(/image|format/);
  });

  test('aborts a stream', async () => {
    const aborting = new Ollama({ host: server.url });
    const messages = [{ role: 'user', content: '', images: [image] }];
    const stream = await aborting.chat({ model: 'opt', messages, stream: true });
    const read = async (): Promise<void> => {
      for await (const { done } of stream) if (!done) aborting.abort();
    };
    await expect(read()).rejects.toThrow('abort');
    expect((await client.generate({ model: 'opt', prompt: '', images: [image] })).response).toBe(LEFT_OF_CAPTION);
  });
});

describe('requests', () => {
  test('stream lines of JSON unless told otherwise, and need no model', async () => {
    const response = await fetch(`${server.url}/api/generate`, {
      method: 'POST',
      body: JSON.stringify({ prompt: QUESTION, images: [image] }),
    });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).response).join('')).toBe('triangle');
  });

  test.each([
    ['raw', { raw: true }],
    ['template', { template: '{{ .Prompt }}' }],
    ['suffix', { suffix: 'x' }],
    ['tools', { tools: [{}] }],
    ['mirostat', { options: { mirostat: 2 } }],
    ['format', { format: 'json' }],
  ])('with %s are refused by its name', async (field, more) => {
    const { status, body } = await server.post('/api/generate', { prompt: QUESTION, images: [image], ...more });
    expect([status, body.code, body.field]).toEqual([400, 'UNSUPPORTED_FIELD', field]);
    expect(body.error).toContain(field);
  });
});

test.each([
  ['5m', 300_000],
  ['1h30m', 5_400_000],
  [10, 10_000],
  ['10', 10_000],
  [-1, Infinity],
  ['-1m', Infinity],
  [0, 0],
  [null, undefined],
])('keep_alive %j is %d ms', (value, expected) => {
  expect(keepAliveMs(value)).toBe(expected);
});

test.each(['soon', '5 minutes', '', 'm'])('keep_alive %j is refused', (value) => {
  expect(() => keepAliveMs(value)).toThrow('keep_alive must be');
});
