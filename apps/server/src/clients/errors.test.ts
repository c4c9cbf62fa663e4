import { InferenceClient } from '@huggingface/inference';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64, dataUrl, type DemoServer, LEFT_OF_CAPTION, leftOf, startDemoServer } from '../fixtures/demo-server.ts';
import { outcomesAtOnce, reasonsOf, startStrictServer, tooLarge } from '../fixtures/failing-servers.ts';

/** Requests a caption with a client. */
type Caption = (
  server: DemoServer,
  options?: { readonly key?: string; readonly model?: string; readonly image?: Uint8Array },
) => Promise<string | null | undefined>;

const openAi: Caption = async ({ url }, { key = 'secret', model = 'opt', image = leftOf } = {}) => {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
  const content = [{ type: 'image_url', image_url: { url: dataUrl(image) } } as const];
  return (await client.chat.completions.create({ model, messages: [{ role: 'user', content }] })).choices[0]?.message
    .content;
};
const ollama: Caption = async ({ url }, { key = 'secret', model = 'opt', image = leftOf } = {}) => {
  const client = new Ollama({ host: url, headers: { authorization: `Bearer ${key}` } });
  return (await client.generate({ model, prompt: '', images: [base64(image)] })).response;
};
const huggingFace: Caption = async ({ url }, { key = 'secret', model = 'opt', image = leftOf } = {}) => {
  const client = new InferenceClient(key, { endpointUrl: `${url}/models/${model}` });
  return (await client.imageToText({ data: new Blob([Buffer.from(image)], { type: 'image/png' }) })).generated_text;
};

/** The HTTP status of an error, where each client keeps it. */
function statusOf(error: unknown): number | undefined {
  const {
    status,
    status_code: code,
    httpResponse,
  } = error as {
    readonly status?: number;
    readonly status_code?: number;
    readonly httpResponse?: { readonly status: number };
  };
  return status ?? code ?? httpResponse?.status;
}

describe.each([
  ['OpenAI', openAi],
  ['Ollama', ollama],
  ['Hugging Face', huggingFace],
])('the client of %s', (_, caption) => {
  let strict: DemoServer;
  let server: DemoServer;
  beforeAll(async () => {
    [strict, server] = await Promise.all([startStrictServer(), startDemoServer()]);
  });
  afterAll(() => Promise.all([strict.close(), server.close()]));
  const status = async (...args: Parameters<Caption>): Promise<number | undefined> =>
    caption(...args).then(() => undefined, statusOf);

  test('receives the errors of a wrong key, a wrong model, a large body, and what is no image', async () => {
    expect(await caption(strict)).toBe(LEFT_OF_CAPTION);
    expect(await status(strict, { key: 'wrong' })).toBe(401);
    expect(await status(server, { model: 'none' })).toBe(404);
    expect(await status(strict, { image: tooLarge })).toBe(413);
    expect(await status(server, { image: Buffer.from('no image') })).toBe(400);
  });

  test('receives 429 from a busy server; the others are answered', async () => {
    const outcomes = await outcomesAtOnce(() => caption(strict));
    const statuses = reasonsOf(outcomes).map(statusOf);
    expect(statuses.length).toBeGreaterThan(0);
    expect(statuses.length).toBeLessThan(outcomes.length);
    expect(new Set(statuses)).toEqual(new Set([429]));
  });
});

describe('aborts', () => {
  let server: DemoServer;
  beforeAll(async () => void (server = await startDemoServer()));
  afterAll(() => server.close());
  const ended = async (count: number): Promise<void> => {
    while (server.entries.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  test('of the client of OpenAI end its stream', async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const content = [{ type: 'image_url', image_url: { url: dataUrl(leftOf) } } as const];
    const body = { model: 'opt', messages: [{ role: 'user', content }], stream: true, n: 16 } as const;
    const stream = await client.chat.completions.create({ ...body, messages: [...body.messages], temperature: 5 });
    for await (const chunk of stream) if (chunk.choices.length > 0) stream.controller.abort();
    await ended(1);
    expect(server.entries.at(-1)).toMatchObject({ code: 'ABORTED' });
  });

  test('of the client of Ollama end its stream', async () => {
    const client = new Ollama({ host: server.url });
    // With this seed, the text does not end by itself.
    const options = { temperature: 5, num_predict: 100, seed: 1 };
    const stream = await client.generate({ model: 'opt', prompt: '', images: [leftOf], stream: true, options });
    const reading = (async () => {
      for await (const part of stream) if (!part.done) client.abort();
    })();
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' });
    await ended(2);
    expect(server.entries.at(-1)?.newTokens).toBeLessThan(100);
  });
});
