import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

import { proxyFetch } from '@blip2/files';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { fetchImage, type FetchImageOptions } from './fetch-image.ts';

const body = Buffer.from('image');
/** URLs that the proxy was asked for. */
let requested: string[] = [];
let server: Server;
let options: FetchImageOptions;

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = request.url ?? '';
    requested.push(url);
    if (url.endsWith('/moved')) response.writeHead(302, { location: 'http://other.example/ok' }).end();
    else if (url.endsWith('/inwards')) response.writeHead(302, { location: 'http://10.0.0.1/ok' }).end();
    else if (url.endsWith('/gzip')) response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body));
    else if (url.endsWith('/bomb'))
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(50_000)));
    else if (url.endsWith('/cut')) response.destroy();
    else response.end(request.headers['user-agent'] === undefined ? 'anonymous' : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http_proxy = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  options = {
    proxy: (url) => proxyFetch(url, { http_proxy }),
    // As in a network where only the proxy resolves public names.
    resolve: async (hostname) => {
      if (hostname === 'intranet.example') return [{ address: '10.0.0.1', family: 4 }];
      return Promise.reject(new Error('ENOTFOUND'));
    },
  };
});
beforeEach(() => void (requested = []));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('an image is fetched through the proxy, also after a redirect', async () => {
  expect(Buffer.from(await fetchImage(new URL('http://public.example/moved'), options))).toEqual(body);
  expect(requested).toEqual(['http://public.example/moved', 'http://other.example/ok']);
});

test('a compressed body is decoded once, and at most as far as the limit', async () => {
  expect(Buffer.from(await fetchImage(new URL('http://public.example/gzip'), options))).toEqual(body);
  await expect(fetchImage(new URL('http://public.example/bomb'), { ...options, maxBytes: 1000 })).rejects.toMatchObject(
    { code: 'IMAGE_TOO_LARGE' },
  );
});

test.each([
  ['http://10.0.0.1/ok', []],
  ['http://intranet.example/ok', []],
  ['http://public.example/inwards', ['http://public.example/inwards']],
])('the proxy is not asked for a private address: %s', async (url, before) => {
  await expect(fetchImage(new URL(url), options)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    details: { argument: 'allowPrivateUrls', got: '10.0.0.1' },
  });
  expect(requested).toEqual(before);
});

test('a failure names its reason', async () => {
  await expect(fetchImage(new URL('http://public.example/cut'), options)).rejects.toMatchObject({
    code: 'MISSING_FILE',
    message: expect.not.stringContaining('fetch failed'),
  });
});

test('an abort rejects with its reason', async () => {
  const controller = new AbortController();
  const resolve = async (): Promise<[]> => {
    controller.abort(new RangeError('enough'));
    return [];
  };
  await expect(
    fetchImage(new URL('http://public.example/ok'), { ...options, resolve, signal: controller.signal }),
  ).rejects.toThrow(new RangeError('enough'));
});
