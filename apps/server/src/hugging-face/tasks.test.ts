import { InferenceClient } from '@huggingface/inference';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { base64, type DemoServer, LEFT_OF_CAPTION, leftOf, startDemoServer } from '../fixtures/demo-server.ts';

let server: DemoServer;
let client: InferenceClient;
beforeAll(async () => {
  server = await startDemoServer();
  client = new InferenceClient(undefined, { endpointUrl: server.url });
});
afterAll(() => server.close());

const blob = new Blob([Buffer.from(leftOf)], { type: 'image/png' });

test('the client of Hugging Face describes, answers and classifies', async () => {
  expect(await client.imageToText({ data: blob })).toEqual({ generated_text: LEFT_OF_CAPTION });
  const question = 'what shape is on the left?';
  const answer = await client.visualQuestionAnswering({ inputs: { image: blob, question } });
  expect(answer.answer).toBe('triangle');
  expect(answer.score).toBeGreaterThan(0.5);
  expect(answer.score).toBeLessThanOrEqual(1);
  const labels = await client.zeroShotImageClassification({
    inputs: { image: blob },
    parameters: { candidate_labels: ['a large yellow star', LEFT_OF_CAPTION] },
  });
  expect(labels.map(({ label }) => label)).toEqual([LEFT_OF_CAPTION, 'a large yellow star']);
  expect(labels[0]!.score + labels[1]!.score).toBeCloseTo(1, 6);
});

test('other clients get a list, for bytes and for base64, with the model of the path', async () => {
  const expected = [{ generated_text: LEFT_OF_CAPTION }];
  const bytes = await fetch(`${server.url}/models/opt`, {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: Buffer.from(leftOf),
  });
  expect(await bytes.json()).toEqual(expected);
  expect((await server.post('/', { inputs: base64(leftOf) })).body).toEqual(expected);
  const short = await server.post('/', { inputs: base64(leftOf), parameters: { max_new_tokens: 3 } });
  expect(short.body).toEqual([{ generated_text: 'a blue triangle' }]);
});

test('bytes are an image whatever their media type', async () => {
  for (const type of ['', 'application/x-www-form-urlencoded', 'image/png']) {
    const response = await fetch(server.url, {
      method: 'POST',
      headers: type === '' ? {} : { 'content-type': type },
      body: Buffer.from(leftOf),
    });
    expect(await response.json()).toEqual([{ generated_text: LEFT_OF_CAPTION }]);
  }
  expect(await server.post('/', '[', { headers: { 'content-type': 'application/json' } })).toMatchObject({
    body: { field: 'body' },
  });
});

test('options of generation may be nested, and those that are not supported are refused by name', async () => {
  const caption = async (parameters: object) => server.post('/', { inputs: base64(leftOf), parameters });
  for (const name of ['generate_kwargs', 'generation_parameters'])
    expect((await caption({ [name]: { max_new_tokens: 3 } })).body).toEqual([{ generated_text: 'a blue triangle' }]);
  expect((await caption({ num_beams: 1, do_sample: false, temperature: 5 })).body).toEqual([
    { generated_text: LEFT_OF_CAPTION },
  ]);
  expect(await caption({ num_beams: 4 })).toMatchObject({ status: 400, body: { field: 'num_beams' } });
  expect(await caption({ generate_kwargs: { min_length: 4 } })).toMatchObject({
    status: 400,
    body: { code: 'UNSUPPORTED_FIELD', field: 'min_length' },
  });
  const answers = await server.post('/', {
    inputs: { image: base64(leftOf), question: 'x?' },
    parameters: { top_k: 3 },
  });
  expect(answers).toMatchObject({ status: 400, body: { field: 'parameters.top_k' } });
});

test('labels are put into the template of the request', async () => {
  const inputs = { image: base64(leftOf) };
  const ask = async (labels: string[], template?: string) =>
    (
      await server.post('/', {
        inputs,
        parameters: { candidate_labels: labels, ...(template && { hypothesis_template: template }) },
      })
    ).body;
  const [long, short] = await Promise.all([
    ask(['a blue triangle', 'a blue circle']),
    ask(['triangle', 'circle'], 'a blue {}'),
  ]);
  expect(short.map(({ score }: { score: number }) => score)).toEqual(long.map(({ score }: { score: number }) => score));
  expect(await ask(['x'], 'no place')).toMatchObject({ field: 'parameters.hypothesis_template' });
});

test.each([
  ['/', {}, 400, 'INVALID_ARGUMENT'],
  ['/', { inputs: 'no image!' }, 400, 'INVALID_ARGUMENT'],
  ['/', { inputs: { image: 'eA==' } }, 400, 'INVALID_IMAGE'],
  ['/models/none', { inputs: { image: 'eA==' } }, 404, 'NOT_FOUND'],
])('%s with %j is refused', async (path, body, status, code) => {
  expect(await server.post(path, body)).toMatchObject({ status, body: { code } });
});
