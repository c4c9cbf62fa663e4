import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type DemoServer, startDemoServer } from '../fixtures/demo-server.ts';
import { randomBody, type Schema, seededRandom } from '../fixtures/random-body.ts';
import { ROUTES } from '../routes/routes.ts';

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

/** Bodies per route; `npm test` must stay short. */
const BODIES = 100;

let server: DemoServer;
let document: OpenApi;
beforeAll(async () => {
  server = await startDemoServer({ limits: { maxNewTokens: 4, requestTimeoutMs: 60_000 } });
  document = (await (await fetch(`${server.url}/openapi.json`)).json()) as OpenApi;
});
afterAll(() => server.close());

test('the OpenAPI document is one of version 3.1 and has every route', () => {
  expect(document.openapi).toBe('3.1.0');
  const documented = Object.values(document.paths).flatMap((path) => Object.keys(path));
  expect(documented).toHaveLength(ROUTES.length);
  const ids = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
});

describe('bodies generated from the document, and damaged ones', () => {
  test.each(ROUTES.filter(({ method }) => method === 'post').map(({ path }) => path))(
    '%s answers every one, with a code if it fails',
    async (path) => {
      const documented = path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');
      const schema = document.paths[documented]?.['post']?.requestBody?.content['application/json']?.schema;
      expect(schema).toBeDefined();
      const url = server.url + documented.replace('{model}', 'opt');
      const statuses = new Set<number>();
      for (let seed = 0; seed < BODIES; seed++) {
        const body = randomBody(schema!, seededRandom(seed));
        const response = await fetch(url, { method: 'POST', body });
        const text = await response.text();
        statuses.add(response.status);
        if (response.status === 200) continue;
        const { error, code = error?.code } = JSON.parse(text);
        expect({ seed, body: body.slice(0, 500), status: response.status, code }).toMatchObject({
          status: expect.toSatisfy((status: number) => status < 500),
          code: expect.stringMatching(/^[A-Z_]+$/),
        });
      }
      expect(server.errors).toEqual([]);
      expect([...statuses]).toEqual(expect.arrayContaining([200, 400]));
    },
  );

  test('the server still answers', async () => {
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  });
});
