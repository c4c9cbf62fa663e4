import { request } from 'node:http';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { type DemoServer, MATCH_MODEL, startDemoServer } from '../fixtures/demo-server.ts';

let server: DemoServer;
beforeAll(async () => {
  server = await startDemoServer({ models: [MATCH_MODEL], apiKey: 'secret' });
});
afterAll(() => server.close());

const get = (path: string, init?: RequestInit): Promise<Response> => fetch(server.url + path, init);

test('the page is served without a key, and allows its own server only', async () => {
  const page = await get('/');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(page.headers.get('cache-control')).toBe('no-cache');
  const policy = page.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect((await get('/v1/models')).status).toBe(401);
});

test('its files have their media types, and those with a hash are kept', async () => {
  const html = await (await get('/')).text();
  const paths = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path]) => `/${path}`);
  expect(paths.length).toBeGreaterThanOrEqual(4);
  for (const path of paths) {
    const { status, headers } = await get(path);
    expect(status, path).toBe(200);
    expect(headers.get('content-type'), path).toMatch(/^(?:text\/(?:javascript|css)|image\/(?:svg|x-icon))/);
    expect(headers.get('cache-control'), path).toBe(
      path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    );
    expect(headers.get('x-content-type-options'), path).toBe('nosniff');
  }
  expect(html).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="https?:/);
  expect((await get('/', { method: 'HEAD' })).status).toBe(200);
});

test.each([
  '/assets',
  '/assets/',
  '/index',
  '/../package.json',
  '/..%2fpackage.json',
  '/assets/../../../package.json',
  '/%00',
])('%s is no file of the page', async (path) => {
  const { port } = new URL(server.url);
  // fetch would resolve the dots itself.
  const status = await new Promise((resolve, reject) => {
    request({ port, path }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect([400, 404]).toContain(status);
});
