import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  base64,
  dataUrl,
  type DemoServer,
  leftOf,
  MATCH_MODEL,
  startDemoServer,
  TEXT_MODEL,
} from '../fixtures/demo-server.ts';

let server: DemoServer;
beforeAll(async () => {
  server = await startDemoServer({ models: [TEXT_MODEL, MATCH_MODEL] });
});
afterAll(() => server.close());

const PATH = '/v1/heatmap';
const TRIANGLE = 'a blue triangle';
const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + Math.max(0, value), 0);
/** The share of the positive contributions in the left half of a square map. */
const leftShare = (values: readonly number[], columns: number): number =>
  sumOf(values.filter((_, index) => index % columns < columns / 2)) / sumOf(values);

test('the map is that of the retrieval checkpoint, and is on the named object', async () => {
  const { status, body } = await server.post(PATH, { image: dataUrl(leftOf), text: TRIANGLE, by: 'itc', mode: 'keep' });
  expect(status).toBe(200);
  expect(body).toMatchObject({ model: 'itm', rows: 8, columns: 8, kind: 'itc', runs: 83 });
  expect(body.values).toHaveLength(64);
  expect(leftShare(body.values, 8)).toBeGreaterThan(0.6);
  const other = await server.post(PATH, { image: base64(leftOf), text: 'a yellow circle', by: 'itc', mode: 'keep' });
  expect(leftShare(other.body.values, 8)).toBeLessThan(leftShare(body.values, 8));
});

test('with a question, the map is that of the generation checkpoint', async () => {
  const question = 'what color is the triangle?';
  const { body } = await server.post(PATH, { image: dataUrl(leftOf), text: 'blue', question, cells: 4 });
  expect(body).toMatchObject({ model: 'opt', rows: 4, columns: 4, kind: 'writing', runs: 17 });
  expect(body.score).toBeLessThan(0);
  expect(server.entries.at(-1)).toMatchObject({ path: PATH, model: 'opt', images: 1 });
});

test('a stream has its progress and ends with the same map', async () => {
  const content = { image: dataUrl(leftOf), text: TRIANGLE, cells: 4 };
  const whole = await server.post(PATH, content);
  const response = await fetch(server.url + PATH, {
    method: 'POST',
    body: JSON.stringify({ ...content, stream: true }),
  });
  const lines = (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.length).toBeGreaterThan(1);
  const done = lines.slice(0, -1).map(({ progress }) => progress.done);
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(lines.at(-1)).toEqual(whole.body);
});

test.each([
  ['no text', { image: dataUrl(leftOf), text: ' ' }, 'text'],
  ['no image', { text: 'x' }, 'image'],
  ['an image that is not one', { image: base64(new Uint8Array(9)), text: 'x' }, undefined],
  ['a path', { image: 'file:///etc/passwd', text: 'x' }, 'image'],
  ['too many cells', { image: dataUrl(leftOf), text: 'x', cells: 33 }, 'cells'],
  ['no cell', { image: dataUrl(leftOf), text: 'x', cells: 0 }, 'cells'],
  ['another mode', { image: dataUrl(leftOf), text: 'x', mode: 'show' }, 'mode'],
  [
    'a question to a retrieval checkpoint',
    { model: 'itm', image: dataUrl(leftOf), text: 'x', question: 'y' },
    'question',
  ],
  ['by with a generation checkpoint', { model: 'opt', image: dataUrl(leftOf), text: 'x', by: 'itm' }, 'by'],
])('%s is refused', async (_, content, field) => {
  const { status, body } = await server.post(PATH, content);
  expect(status).toBe(400);
  if (field !== undefined) expect(body.error.param).toBe(field);
  expect(await server.post(PATH, { ...content, stream: true })).toMatchObject({ status: 400 });
});
