import { afterAll, beforeAll, expect, test } from 'vitest';

import { base64, type DemoServer, LEFT_OF_CAPTION, leftOf, startDemoServer } from '../fixtures/demo-server.ts';

let server: DemoServer;
beforeAll(async () => {
  server = await startDemoServer();
});
afterAll(() => server.close());

const get = async (path: string) => (await fetch(server.url + path)).json();

test('a model describes its inputs and outputs', async () => {
  expect(await get('/v2/health/ready')).toEqual({ ready: true });
  const { inputs, outputs } = (await get('/v2/models/opt')) as Record<string, { name: string }[]>;
  expect(inputs!.map(({ name }) => name)).toEqual(['pixel_values', 'image', 'prompt']);
  expect(outputs!.map(({ name }) => name)).toEqual(['vision', 'qformer', 'projection', 'text']);
});

test('pixel values become the features of each part', async () => {
  const { inputs } = (await get('/v2/models/opt')) as { inputs: { shape: number[] }[] };
  const [, ...shape] = inputs[0]!.shape;
  const count = shape.reduce((a, b) => a * b);
  const data = Array.from({ length: count }, (_, index) => Math.sin(index));
  const { status, body } = await server.post('/v2/models/opt/infer', {
    inputs: [{ name: 'pixel_values', shape: [1, ...shape], datatype: 'FP32', data }],
    outputs: [{ name: 'qformer' }, { name: 'projection' }],
  });
  expect(status).toBe(200);
  expect(body.model_name).toBe('opt');
  for (const { shape: dims, data: values } of body.outputs) {
    expect(dims.slice(0, 2)).toEqual([1, 12]);
    expect(values).toHaveLength(dims.reduce((a: number, b: number) => a * b));
    expect(values.every(Number.isFinite)).toBe(true);
  }
  const vision = await server.post('/v2/models/itm/infer', {
    inputs: [{ name: 'pixel_values', shape: [1, ...shape], datatype: 'FP32', data }],
  });
  expect(vision.body.outputs[0].name).toBe('vision');
});

test('images and prompts become texts', async () => {
  const image = base64(leftOf);
  const { body } = await server.post('/v2/models/opt/infer', {
    inputs: [
      { name: 'image', shape: [2], datatype: 'BYTES', data: [image, image] },
      { name: 'prompt', shape: [2], datatype: 'BYTES', data: ['', 'what shape is on the left?'] },
    ],
  });
  expect(body.outputs).toEqual([{ name: 'text', shape: [2], datatype: 'BYTES', data: [LEFT_OF_CAPTION, 'triangle'] }]);
});

test.each([
  ['no inputs', { inputs: [] }],
  ['an unknown input', { inputs: [{ name: 'x', shape: [1], datatype: 'FP32', data: [1] }] }],
  ['the wrong shape', { inputs: [{ name: 'pixel_values', shape: [1, 3, 2, 2], datatype: 'FP32', data: [] }] }],
  ['the wrong type', { inputs: [{ name: 'image', shape: [1], datatype: 'FP32', data: [1] }] }],
  ['an image that is none', { inputs: [{ name: 'image', shape: [1], datatype: 'BYTES', data: ['eA=='] }] }],
  ['a prompt alone', { inputs: [{ name: 'prompt', shape: [1], datatype: 'BYTES', data: ['x'] }] }],
])('%s is refused', async (_, body) => {
  const answer = await server.post('/v2/models/opt/infer', body);
  expect(answer.status).toBe(400);
  expect(answer.body.code).toMatch(/^INVALID_/);
});
