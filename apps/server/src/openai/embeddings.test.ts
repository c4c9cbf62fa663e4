import type OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { base64, dataUrl, type DemoServer, leftOf, oneStar } from '../fixtures/demo-server.ts';
import { startWithClient } from '../fixtures/openai-client.ts';

let server: DemoServer;
let client: OpenAI;
beforeAll(async () => {
  ({ server, client } = await startWithClient());
});
afterAll(() => server.close());

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * (b[index] ?? NaN), 0);

test('base64, which the client of OpenAI asks for, and float are the same vectors of length 1', async () => {
  const input = ['a star', 'a circle'];
  const decoded = await client.embeddings.create({ model: 'itm', input });
  const floats = await client.embeddings.create({ model: 'itm', input, encoding_format: 'float' });
  expect(decoded.data).toEqual(floats.data);
  expect(decoded.data.map(({ index }) => index)).toEqual([0, 1]);
  for (const { embedding } of floats.data) expect(dot(embedding, embedding)).toBeCloseTo(1, 5);
  expect(decoded.usage.prompt_tokens).toBeGreaterThan(2);
});

test('images and texts are in one space, in every format, in order', async () => {
  const vectors = async (body: object): Promise<number[][]> =>
    (await server.post('/v1/embeddings', body)).body.data.map(({ embedding }: { embedding: number[] }) => embedding);
  const [text, star, left] = await vectors({
    input: [{ text: 'a large yellow star' }, { image: base64(oneStar) }, { image: dataUrl(leftOf) }],
  });
  expect(dot(text!, star!)).toBeGreaterThan(dot(text!, left!));
  const content = [{ type: 'image_url', image_url: { url: dataUrl(oneStar) } }];
  const [message] = await vectors({ messages: [{ role: 'user', content }] });
  expect(dot(message!, star!)).toBeCloseTo(1, 5);
});

test.each([
  ['nothing', {}, 'INVALID_ARGUMENT', 'input'],
  ['token ids', { input: [1, 2] }, 'INVALID_ARGUMENT', 'input[0]'],
  ['fewer dimensions', { input: 'x', dimensions: 7 }, 'UNSUPPORTED_FIELD', 'dimensions'],
  ['a generation checkpoint', { input: 'x', model: 'opt' }, 'INVALID_ARGUMENT', 'model'],
  ['a URL', { input: [{ image: 'http://127.0.0.1/x.png' }] }, 'INVALID_ARGUMENT', 'input[0].image'],
  ['too many images', { input: Array(17).fill({ image: 'eA==' }) }, 'INVALID_ARGUMENT', 'images'],
])('%s is refused', async (_, body, code, param) => {
  expect(await server.post('/v1/embeddings', body)).toMatchObject({ status: 400, body: { error: { code, param } } });
});
