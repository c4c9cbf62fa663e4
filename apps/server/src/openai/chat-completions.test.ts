import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { chat, dataUrl, type DemoServer, LEFT_OF_CAPTION, leftOf, oneStar } from '../fixtures/demo-server.ts';
import { startWithClient } from '../fixtures/openai-client.ts';

const PATH = '/v1/chat/completions';
let server: DemoServer;
let client: OpenAI;
beforeAll(async () => {
  ({ server, client } = await startWithClient());
});
afterAll(() => server.close());

type Messages = OpenAI.ChatCompletionMessageParam[];
const ask = (text: string, image = leftOf): Messages => [
  {
    role: 'user',
    content: [
      { type: 'text', text },
      { type: 'image_url', image_url: { url: dataUrl(image) } },
    ],
  },
];
const show = (image = leftOf): Messages => [
  { role: 'user', content: [{ type: 'image_url', image_url: { url: dataUrl(image) } }] },
];

describe('the client of OpenAI', () => {
  test('gets a caption for an image, and an answer for an image with a question', async () => {
    const caption = await client.chat.completions.create({ model: 'opt', messages: show() });
    expect(caption.choices[0]).toMatchObject({
      index: 0,
      message: { role: 'assistant', content: LEFT_OF_CAPTION },
      finish_reason: 'stop',
    });
    expect(caption.usage).toEqual({ prompt_tokens: 12, completion_tokens: 12, total_tokens: 24 });
    expect(caption.model).toBe('opt');
    const answer = await client.chat.completions.create({ model: 'opt', messages: ask('what shape is on the left?') });
    expect(answer.choices[0]?.message.content).toBe('triangle');
  });

  test('streams the same text, with role, finish reason and usage', async () => {
    const stream = client.chat.completions.stream({
      model: 'opt',
      messages: show(),
      stream_options: { include_usage: true },
    });
    const pieces: string[] = [];
    stream.on('content', (piece) => void pieces.push(piece));
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]).toMatchObject({
      message: { role: 'assistant', content: LEFT_OF_CAPTION },
      finish_reason: 'stop',
    });
    expect(pieces.length).toBeGreaterThan(5);
    expect(pieces.join('')).toBe(LEFT_OF_CAPTION);
    expect(final.usage?.completion_tokens).toBe(12);
  });

  test('gets log-probabilities that sum to the best token first', async () => {
    const { choices } = await client.chat.completions.create({
      model: 'opt',
      messages: show(),
      logprobs: true,
      top_logprobs: 3,
      max_tokens: 4,
    });
    const content = choices[0]?.logprobs?.content ?? [];
    expect(choices[0]?.finish_reason).toBe('length');
    expect(content).toHaveLength(4);
    for (const { token, logprob, bytes, top_logprobs: top } of content) {
      expect(top).toHaveLength(3);
      expect(top[0]).toMatchObject({ token });
      expect(top[0]?.logprob).toBeCloseTo(logprob, 5);
      expect(top.map((each) => each.logprob)).toEqual(top.map((each) => each.logprob).toSorted((a, b) => b - a));
      expect(Buffer.from(bytes ?? []).toString()).toBe(token);
    }
  });

  test('gets several choices, which a seed repeats', async () => {
    const body = { model: 'opt', messages: show(), n: 3, temperature: 3, seed: 7, max_tokens: 6 } as const;
    const first = await client.chat.completions.create(body);
    const second = await client.chat.completions.create(body);
    const texts = first.choices.map(({ message }) => message.content);
    expect(first.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(new Set(texts).size).toBeGreaterThan(1);
    expect(second.choices.map(({ message }) => message.content)).toEqual(texts);
  });

  test('gets a value of a schema with an enum', async () => {
    const { choices } = await client.chat.completions.create({
      model: 'opt',
      messages: ask('what shape is on the left?'),
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'shape',
          schema: { type: 'object', properties: { shape: { enum: ['circle', 'triangle', 'star'] } } },
        },
      },
    });
    expect(JSON.parse(choices[0]?.message.content ?? '')).toEqual({ shape: 'triangle' });
  });

  test('gets a value of a schema without a question: the best description', async () => {
    const schema = { type: 'object', properties: { label: { enum: ['a large yellow star', LEFT_OF_CAPTION] } } };
    const format = { type: 'json_schema', json_schema: { name: 'label', schema } } as const;
    for (const model of ['opt', 't5']) {
      const { choices, usage } = await client.chat.completions.create({
        model,
        messages: show(),
        response_format: format,
      });
      expect(choices[0]?.message.content).toBe(JSON.stringify({ label: LEFT_OF_CAPTION }));
      expect(usage?.prompt_tokens).toBe(12);
    }
  });

  test('gets log-probabilities of the tokens of the text, and of no others', async () => {
    for (const stop of [undefined, ' left']) {
      const body = { model: 'opt', messages: show(), logprobs: true, ...(stop && { stop }) };
      const { choices } = await client.chat.completions.create(body);
      const tokens = choices[0]?.logprobs?.content?.map(({ token }) => token) ?? [];
      expect(tokens.join('')).toBe(choices[0]?.message.content);
    }
  });

  test('is told what it may not send, and which model exists', async () => {
    await expect(client.chat.completions.create({ model: 'gpt', messages: show() })).rejects.toMatchObject({
      status: 404,
      code: 'NOT_FOUND',
      param: 'model',
    });
    const tools = [{ type: 'function' as const, function: { name: 'f' } }];
    await expect(client.chat.completions.create({ model: 'opt', messages: show(), tools })).rejects.toMatchObject({
      status: 400,
      code: 'UNSUPPORTED_FIELD',
      param: 'tools',
    });
  });

  test('lists the models', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual(['opt', 't5', 'itm']);
    expect(await client.models.retrieve('itm')).toMatchObject({ id: 'itm', object: 'model' });
  });
});

describe('messages', () => {
  test('without a model use the default one, and harmless unknown fields pass', async () => {
    const { status, body } = await server.post(PATH, chat(leftOf, undefined, { user: 'me', tools: [], future: 1 }));
    expect(status).toBe(200);
    expect(body.choices[0].message.content).toBe(LEFT_OF_CAPTION);
    expect(body.model).toBe('opt');
  });

  test('that follow each other are one, so that text and image may be split', async () => {
    const image = { role: 'user', content: [{ type: 'image_url', image_url: { url: dataUrl(leftOf) } }] };
    const question = { role: 'user', content: 'what shape is on the left?' };
    const { body } = await server.post(PATH, { messages: [question, image] });
    expect(body.choices[0].message.content).toBe('triangle');
  });

  test('of earlier turns, system messages and captions are part of the prompt', async () => {
    const count = async (messages: object[]): Promise<number> =>
      (await server.post(PATH, { messages, max_tokens: 1 })).body.usage.prompt_tokens;
    const image = { type: 'image_url', image_url: { url: dataUrl(leftOf) } };
    const question = { role: 'user', content: 'what colour is it?' };
    const first = { role: 'user', content: [image] };
    const alone = await count([{ role: 'user', content: [image, { type: 'text', text: question.content }] }]);
    const after = await count([first, { role: 'assistant', content: 'a star' }, question]);
    expect(after).toBeGreaterThan(alone);
    expect(await count([{ role: 'system', content: 'be short' }, first, question])).toBeGreaterThan(alone);
  });

  test('with the same image in every turn are about one image, with different ones they are refused', async () => {
    const turn = (image: Uint8Array): object => (chat(image, 'what is it?') as { messages: object[] }).messages[0]!;
    const answer = { role: 'assistant', content: 'a star' };
    expect((await server.post(PATH, { messages: [turn(leftOf), answer, turn(leftOf)] })).status).toBe(200);
    const { status, body } = await server.post(PATH, { messages: [turn(leftOf), answer, turn(oneStar)] });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: 'INVALID_ARGUMENT', param: 'messages' });
    expect(body.error.message).toContain('one image');
  });

  test('end at a stop string, which is not part of the text', async () => {
    const { body } = await server.post(PATH, chat(leftOf, undefined, { stop: [' left'] }));
    expect(body.choices[0]).toMatchObject({ message: { content: 'a blue triangle to the' }, finish_reason: 'stop' });
  });

  test('get an answer from an encoder-decoder model too', async () => {
    const { body } = await server.post(PATH, chat(leftOf, 'what shape is on the left?', { model: 't5' }));
    expect(body.choices[0].message.content).toContain('triangle');
  });

  test('may have a seed of 64 bits, and a top_p of 0, which is greedy', async () => {
    const ask = async (more: object): Promise<unknown> =>
      (await server.post(PATH, chat(leftOf, undefined, { temperature: 1, ...more }))).body.choices?.[0].message.content;
    expect(await ask({ seed: 2 ** 63 })).toBe(await ask({ seed: 2 ** 63 }));
    expect(await ask({ top_p: 0 })).toBe(LEFT_OF_CAPTION);
  });

  test('that are refused name the limit and the alternatives', async () => {
    const message = async (more: object): Promise<string> =>
      (await server.post(PATH, chat(leftOf, 'x', more))).body.error.message;
    expect(await message({ n: 0 })).toBe('n must be at least 1, got 0');
    expect(await message({ n: 17 })).toBe('n must be at most 16, got 17');
    expect(await message({ messages: [] })).toBe('messages must be a list of at least 1 entries, got a list');
    expect(await message({ messages: [{ role: 'user', content: [{ type: 'file' }] }] })).toBe(
      'messages[0].content[0].type must be one of text, input_text, image_url, got "file"',
    );
  });

  test('ask for more tokens than the model has positions and get what fits', async () => {
    const { status, body } = await server.post(PATH, chat(leftOf, undefined, { max_tokens: 100_000 }));
    expect([status, body.choices?.[0].message.content]).toEqual([200, LEFT_OF_CAPTION]);
  });
});

describe('refusals', () => {
  const url = (value: string): object => ({
    messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: value } }] }],
  });
  test.each([
    ['no messages', {}, 400, 'INVALID_ARGUMENT', 'messages'],
    ['text alone', chat(undefined, 'hello'), 400, 'INVALID_ARGUMENT', 'messages'],
    ['a path', url('/etc/passwd'), 400, 'INVALID_ARGUMENT', 'messages[0].content[0].image_url.url'],
    ['a file URL', url('file:///etc/passwd'), 400, 'INVALID_ARGUMENT', 'messages[0].content[0].image_url.url'],
    ['an http URL', url('https://example.com/a.png'), 400, 'INVALID_ARGUMENT', 'messages[0].content[0].image_url.url'],
    ['no tokens', chat(leftOf, undefined, { max_tokens: 0 }), 400, 'INVALID_ARGUMENT', 'max_tokens'],
    ['a minimum', chat(leftOf, undefined, { min_tokens: 3 }), 400, 'UNSUPPORTED_FIELD', 'min_tokens'],
    ['no image', url('data:text/plain;base64,aGVsbG8='), 400, 'INVALID_IMAGE', null],
    ['bad base64', url('data:image/png;base64,*'), 400, 'INVALID_ARGUMENT', 'image'],
    ['a wrong type', chat(leftOf, undefined, { n: 'two' }), 400, 'INVALID_ARGUMENT', 'n'],
    ['a retrieval model', chat(leftOf, undefined, { model: 'itm' }), 400, 'INVALID_ARGUMENT', 'model'],
    [
      'json mode',
      chat(leftOf, 'x', { response_format: { type: 'json_object' } }),
      400,
      'UNSUPPORTED_FIELD',
      'response_format',
    ],
    ['a penalty', chat(leftOf, 'x', { presence_penalty: 0.5 }), 400, 'UNSUPPORTED_FIELD', 'presence_penalty'],
    ['audio', chat(leftOf, 'x', { modalities: ['audio'] }), 400, 'UNSUPPORTED_FIELD', 'modalities'],
    [
      'an unknown part',
      { messages: [{ role: 'user', content: [{ type: 'file', file: {} }] }] },
      400,
      'INVALID_ARGUMENT',
      'messages[0].content[0].type',
    ],
    ['an unknown role', { messages: [{ role: 'tool', content: 'x' }] }, 400, 'INVALID_ARGUMENT', 'messages[0].role'],
    ['broken JSON', '{', 400, 'INVALID_ARGUMENT', 'body'],
    ['deep JSON', `${'['.repeat(9000)}${']'.repeat(9000)}`, 400, 'INVALID_ARGUMENT', 'body'],
    ['a list', [], 400, 'INVALID_ARGUMENT', 'body'],
  ])('%s', async (_, body, status, code, param) => {
    const answer = await server.post(PATH, body);
    expect(answer).toMatchObject({ status, body: { error: { code, param } } });
    expect(server.errors).toEqual([]);
  });
});
