import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { fetchImage, type FetchImageOptions } from './fetch-image.ts';
import { isPrivateAddress } from './private-addresses.ts';

const body = Buffer.from('image');
let hits = 0;
let userAgent: string | undefined;
/** Answers of `/busy`, one per request. */
let busy: (readonly [status: number, retryAfter: string | undefined])[] = [];
let server: Server;
let base: string;

const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/ok': (response) => response.end(body),
  '/missing': (response) => response.writeHead(404).end('gone'),
  '/redirect': (response) => response.writeHead(302, { location: '/ok' }).end(),
  '/loop': (response) => response.writeHead(307, { location: '/loop' }).end(),
  '/metadata': (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/' }).end(),
  '/to-file': (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/declared': (response) => response.writeHead(200, { 'content-length': '5000' }).end(),
  '/chunked'(response) {
    response.write(Buffer.alloc(2500));
    response.end(Buffer.alloc(2500));
  },
  '/long': (response) => response.end(Buffer.alloc(5000)),
  '/cut': (response) => response.writeHead(200, { 'content-length': '50' }).write('abc', () => response.destroy()),
  '/busy'(response) {
    const [status, retryAfter] = busy.shift() ?? [200, undefined];
    response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
    response.end(status === 200 ? body : 'later');
  },
  '/gzip': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(body)),
  '/br': (response) => response.writeHead(200, { 'content-encoding': 'BR' }).end(brotliCompressSync(body)),
  '/deflate': (response) => response.writeHead(200, { 'content-encoding': 'deflate' }).end(deflateSync(body)),
  '/raw-deflate': (response) => response.writeHead(200, { 'content-encoding': 'deflate' }).end(deflateRawSync(body)),
  '/twice': (response) =>
    response.writeHead(200, { 'content-encoding': 'br, gzip' }).end(gzipSync(brotliCompressSync(body))),
  '/identity': (response) => response.writeHead(200, { 'content-encoding': 'identity' }).end(body),
  '/bomb': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(5000))),
  '/bomb-in-bomb': (response) =>
    response.writeHead(200, { 'content-encoding': 'gzip, br' }).end(brotliCompressSync(gzipSync(Buffer.alloc(5000)))),
  '/not-gzip': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(body),
  '/zstd': (response) => response.writeHead(200, { 'content-encoding': 'zstd' }).end(body),
  '/thrice': (response) => response.writeHead(200, { 'content-encoding': 'br, br, br' }).end(body),
  '/nowhere': (response) => response.writeHead(302, { location: 'http://[' }).end(),
  '/slow': (response) => response.writeHead(200).write('a'),
};

beforeAll(async () => {
  server = createServer((request, response) => {
    hits++;
    userAgent = request.headers['user-agent'];
    answers[request.url ?? '']?.(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const local: FetchImageOptions = { isForbidden: (address) => address !== '127.0.0.1', timeout: 10_000 };
const get = (path: string, options: FetchImageOptions = local): Promise<Uint8Array> =>
  fetchImage(new URL(path, base), options);

describe('fetchImage', () => {
  test('returns the bytes, also after a redirect', async () => {
    expect(Buffer.from(await get('/ok'))).toEqual(body);
    expect(Buffer.from(await get('/redirect'))).toEqual(body);
  });
  test.each([
    ['/missing', 'MISSING_FILE', /404/],
    ['/loop', 'MISSING_FILE', /3 redirects/],
    ['/cut', 'MISSING_FILE', /could not be fetched/],
    ['/nowhere', 'MISSING_FILE', /invalid URL/],
    ['/not-gzip', 'MISSING_FILE', /content encoding .* got gzip: incorrect header check/],
    ['/zstd', 'MISSING_FILE', /expected gzip, br or deflate, got zstd/],
    ['/thrice', 'MISSING_FILE', /got br, br, br/],
    ['/to-file', 'INVALID_ARGUMENT', /file:/],
    ['/metadata', 'INVALID_ARGUMENT', /169\.254\.169\.254/],
  ])('%s is rejected with a specific error', async (path, code, message) => {
    await expect(get(path)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
  test.each(['/gzip', '/br', '/deflate', '/raw-deflate', '/twice', '/identity'])('%s: decodes it', async (path) => {
    expect(Buffer.from(await get(path))).toEqual(body);
  });
  test('names itself: some servers answer 403 without a User-Agent', async () => {
    await get('/ok');
    expect(userAgent).toMatch(/^blip2-node /);
  });
  test('asks a busy server again, after the time that it names', async () => {
    busy = [
      [503, '0'],
      [429, new Date(0).toUTCString()],
    ];
    expect(Buffer.from(await get('/busy'))).toEqual(body);
    expect(busy).toEqual([]);
  });
  test.each([
    ['three times', [503, '0'], 3],
    ['with a wait of an hour', [429, '3600'], 1],
    ['without being busy', [500, '0'], 1],
  ] as const)('gives up if the server refuses %s', async (_what, answer, requests) => {
    busy = Array.from({ length: 5 }, () => answer);
    const got = { code: 'MISSING_FILE', details: { got: String(answer[0]) } };
    await expect(get('/busy')).rejects.toMatchObject(got);
    expect(5 - busy.length).toBe(requests);
  });
  test('an abort ends the wait for a busy server', async () => {
    busy = [[503, '20']];
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    await expect(get('/busy', { ...local, signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
  test.each(['/declared', '/long', '/chunked', '/bomb', '/bomb-in-bomb'])(
    '%s: rejects more bytes than the limit',
    async (path) => {
      await expect(get(path, { ...local, maxBytes: 4999 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' });
    },
  );
  test('times out', async () => {
    await expect(get('/slow', { ...local, timeout: 100 })).rejects.toMatchObject({
      code: 'MISSING_FILE',
      message: expect.stringContaining('0.1 s'),
    });
  });
  test('rejects with an AbortError if aborted', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    await expect(get('/slow', { ...local, signal: controller.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('does not connect to addresses that are not public', () => {
  const hosts = [
    '127.0.0.1',
    'localhost',
    '0',
    '2130706433',
    '0x7f.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[fe80::1]',
    '[fd00::1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
  ];
  test.each(hosts)('%s', async (host) => {
    const before = hits;
    await expect(
      fetchImage(new URL(`http://${host}:${new URL(base).port}/ok`), { timeout: 10_000 }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(hits).toBe(before);
  });
  test('checks the addresses that the connection uses', async () => {
    const answersOfDns = ['93.184.216.34', '127.0.0.1'];
    const resolve: FetchImageOptions['resolve'] = async () => [
      { address: answersOfDns.shift() ?? '127.0.0.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    const before = hits;
    await expect(
      fetchImage(new URL(`http://public.example:${new URL(base).port}/ok`), { resolve, timeout: 10_000 }),
    ).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('127.0.0.1') });
    expect(hits).toBe(before);
  });
  test('connects to the checked address', async () => {
    const resolve: FetchImageOptions['resolve'] = async () => [{ address: '127.0.0.1', family: 4 }];
    const bytes = await fetchImage(new URL(`http://pinned.example:${new URL(base).port}/ok`), { ...local, resolve });
    expect(Buffer.from(bytes)).toEqual(body);
  });
});

test('isPrivateAddress distinguishes public from private addresses', () => {
  expect(['8.8.8.8', '93.184.216.34', '2606:4700::1111', '172.32.0.1', '100.128.0.1'].map(isPrivateAddress)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
  expect(['172.31.255.255', '224.0.0.1', '255.255.255.255', 'ff02::1', 'not an address'].map(isPrivateAddress)).toEqual(
    [true, true, true, true, true],
  );
});
