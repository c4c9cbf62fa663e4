import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { base64, dataUrl, type DemoServer, leftOf, oneStar, startDemoServer } from '../fixtures/demo-server.ts';

let server: DemoServer;
beforeAll(async () => {
  server = await startDemoServer();
});
afterAll(() => server.close());

const input = (image: Uint8Array = leftOf): object[] => [
  { role: 'user', content: [{ type: 'input_image', image_url: dataUrl(image) }] },
];
const sum = (probabilities: readonly { probability: number }[]): number =>
  probabilities.reduce((total, { probability }) => total + probability, 0);

describe('decisions', () => {
  test('rank answers, in the order of the questions, for an image that is encoded once', async () => {
    const { status, body } = await server.post('/v1/decisions', {
      model: 'opt',
      input: input(),
      questions: [
        {
          type: 'choice',
          name: 'shape',
          instructions: 'what shape is on the left?',
          choices: [{ value: 'circle' }, { value: 'triangle' }],
        },
        { type: 'predicate', instructions: 'is there a triangle?' },
        { type: 'score', instructions: 'how many shapes are there?', levels: [{ label: '1' }, { label: '2' }] },
      ],
    });
    expect(status).toBe(200);
    const [choice, predicate, score] = body.answers;
    expect(choice).toMatchObject({ type: 'choice', name: 'shape', choice: 'triangle' });
    expect(choice.probabilities.map(({ value }: { value: string }) => value)).toEqual(['circle', 'triangle']);
    expect(sum(choice.probabilities)).toBeCloseTo(1, 6);
    expect(choice.confidence).toBe(choice.probabilities[1].probability);
    expect(predicate).toMatchObject({ type: 'predicate', name: null });
    expect(predicate.probability).toBeGreaterThan(0);
    expect(predicate.probability).toBeLessThan(1);
    expect(score.probabilities).toHaveLength(2);
    expect(score.score).toBeCloseTo(score.probabilities[1].probability, 6);
    expect(body.usage.total_tokens).toBe(body.usage.input_tokens);
    expect(server.entries.at(-1)).toMatchObject({ images: 1 });
  });

  test('match texts with a retrieval checkpoint', async () => {
    const questions = [
      {
        type: 'choice',
        instructions: 'what is it?',
        choices: [
          { value: 'a', description: 'a large yellow star' },
          { value: 'b', description: 'a blue triangle to the left of a small yellow circle' },
        ],
      },
      { type: 'predicate', instructions: 'a large yellow star' },
    ];
    const about = async (image: Uint8Array) =>
      (await server.post('/v1/decisions', { model: 'itm', input: input(image), questions })).body.answers;
    const { body } = await server.post('/v1/decisions', { model: 'itm', input: input(), questions });
    expect(body.usage.input_tokens).toBeGreaterThan(10);
    const [star, isStar] = await about(oneStar);
    const [left, isNoStar] = await about(leftOf);
    expect([star.choice, left.choice]).toEqual(['a', 'b']);
    expect(isStar.probability).toBeGreaterThan(isNoStar.probability);
  });

  test.each([
    [
      'no image',
      { input: [{ role: 'user', content: 'x' }], questions: [{ type: 'predicate', instructions: 'x' }] },
      'input',
    ],
    ['a box', { input: input(), questions: [{ type: 'box', instructions: 'x' }] }, 'questions[0].type'],
    [
      'one choice',
      { input: input(), questions: [{ type: 'choice', instructions: 'x', choices: [{ value: 'a' }] }] },
      'questions[0].choices',
    ],
    [
      'equal choices',
      {
        input: input(),
        questions: [{ type: 'choice', instructions: 'x', choices: [{ value: 'yes' }, { value: true }] }],
      },
      'questions',
    ],
  ])('with %s are refused', async (_, body, param) => {
    const answer = await server.post('/v1/decisions', body);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'INVALID_ARGUMENT', param } } });
  });
});

test.each([{}, { circle: 'round' }, [], ['circle']])(
  'systemone refuses the criteria %j: two at least',
  async (criteria) => {
    const answer = await server.post('/v1/systemone', {
      assets: { photo: { type: 'image', data_base64: base64(leftOf) } },
      questions: { shape: { type: 'choice', instructions: 'what shape is on the left?', criteria } },
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { code: 'INVALID_ARGUMENT', param: expect.stringMatching(/^questions\.shape\.criteria/) } },
    });
  },
);

test('systemone refuses a state that is nested too deeply', async () => {
  const body = `{"state":${'['.repeat(9000)}${']'.repeat(9000)},"assets":{},"questions":{}}`;
  expect(await server.post('/v1/systemone', body)).toMatchObject({ status: 400, body: { error: { param: 'body' } } });
});

test('systemone answers questions by name', async () => {
  const { status, body } = await server.post('/v1/systemone', {
    assets: { photo: { type: 'image', format: 'png', data_base64: base64(leftOf) } },
    questions: {
      isTriangle: { type: 'noul', instructions: 'is there a triangle?' },
      shape: {
        type: 'choice',
        instructions: 'what shape is on the left?',
        criteria: { circle: 'round', triangle: null },
      },
    },
  });
  expect(status).toBe(200);
  expect(body.answers.shape).toMatchObject({ type: 'choice', choice: 'triangle' });
  expect(Object.keys(body.answers.shape.probabilities)).toEqual(['circle', 'triangle']);
  expect(body.answers.isTriangle.noul).toBeGreaterThan(0);
});
