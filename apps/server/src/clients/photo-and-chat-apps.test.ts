import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type AppRequest, openWebUi, openWebUiOllama, photoPrism, withImage } from '../fixtures/app-requests.ts';
import { base64, type DemoServer, LEFT_OF_CAPTION, leftOf, startDemoServer } from '../fixtures/demo-server.ts';

let server: DemoServer;
beforeAll(async () => void (server = await startDemoServer()));
afterAll(() => server.close());

/** Sends the request of an app and returns status and text. */
async function send(request: AppRequest): Promise<{ status: number; type: string; text: string }> {
  const { method, path, body } = request;
  const response = await fetch(server.url + path, {
    method,
    headers: { 'content-type': 'application/json', authorization: 'Bearer none' },
    ...(body && { body: withImage(request, base64(leftOf)) }),
  });
  return {
    status: response.status,
    type: response.headers.get('content-type') ?? '',
    text: await response.text(),
  };
}

interface Event {
  readonly choices: readonly { readonly delta: { readonly content?: string } }[];
  readonly usage?: object | null;
}

/** The events of a stream of OpenAI's API. */
function eventsOf(text: string): Event[] {
  const events = text.split('\n\n').filter((line) => line.startsWith('data: {'));
  return events.map((event) => JSON.parse(event.slice('data: '.length)) as Event);
}

describe('Open WebUI', () => {
  test('lists models by id', async () => {
    const { data } = JSON.parse((await send(openWebUi.models)).text);
    expect(data.map(({ id }: { id: string }) => id)).toEqual(['opt', 't5', 'itm']);
  });

  test('streams an answer, and its usage in the last event', async () => {
    const { type, text } = await send(openWebUi.chat);
    expect(type).toBe('text/event-stream');
    const events = eventsOf(text);
    expect(events.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('triangle');
    expect(events.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 26 } });
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
  });

  test('gets a caption for an image with an empty text', async () => {
    const events = eventsOf((await send(openWebUi.image)).text);
    expect(events.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(LEFT_OF_CAPTION);
  });

  test('is told why there is no title: a text without an image', async () => {
    const { status, text } = await send(openWebUi.title);
    expect(status).toBe(400);
    expect(JSON.parse(text).error.message).toContain('must contain an image');
  });

  test('with an Ollama connection sees that the model accepts images', async () => {
    expect(JSON.parse((await send(openWebUiOllama.version)).text).version).toMatch(/^\d+\.\d+\.\d+$/);
    const { models } = JSON.parse((await send(openWebUiOllama.tags)).text);
    expect(models[0]).toMatchObject({ name: 'opt', model: 'opt', details: { family: 'blip-2' } });
    expect(JSON.parse((await send(openWebUiOllama.loaded)).text).models).toHaveLength(1);
    expect(JSON.parse((await send(openWebUiOllama.show)).text).capabilities).toContain('vision');
    expect(JSON.parse((await send(openWebUiOllama.embed)).text).embeddings).toHaveLength(1);
  });

  test('with an Ollama connection streams lines', async () => {
    const { type, text } = await send(openWebUiOllama.chat);
    expect(type).toBe('application/x-ndjson');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ message }) => message.content).join('')).toBe('triangle');
    expect(lines.at(-1)).toMatchObject({ done: true, done_reason: 'stop', prompt_eval_count: 24 });
  });
});

describe('PhotoPrism', () => {
  test('gets a caption for a blank prompt, and an answer for another one', async () => {
    const caption = await send(photoPrism.caption);
    expect(JSON.parse(caption.text)).toMatchObject({ response: LEFT_OF_CAPTION, done: true, model: 'opt' });
    expect(JSON.parse((await send(photoPrism.question)).text)).toMatchObject({ response: 'triangle', done: true });
  });

  test('is told that labels in JSON are not supported', async () => {
    const { status, text } = await send(photoPrism.labels);
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ code: 'UNSUPPORTED_FIELD', field: 'format' });
  });
});
