import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { decodeImage } from '../images/decode-image.ts';
import { encodePng } from '../images/encode-png.ts';

const image = {
  type: 'uint8' as const,
  dims: [1, 2, 3] as [number, number, 3],
  data: Uint8Array.of(1, 2, 3, 250, 251, 252),
};
let server: Server;
let url: string;
let hits = 0;

beforeAll(async () => {
  const png = await encodePng(image);
  server = createServer((request, response) => {
    hits++;
    if (request.url === '/moved') response.writeHead(302, { location: '/image.png' }).end();
    else response.end(png);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/image.png`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test('allowPrivateUrls allows images of a local server, redirects included', async () => {
  expect((await decodeImage(url, { allowUrls: true, allowPrivateUrls: true })).data).toEqual(image.data);
  expect((await decodeImage(new URL('/moved', url), { allowUrls: true, allowPrivateUrls: true })).data).toEqual(
    image.data,
  );
});

test('without it they are rejected, and the error names the option', async () => {
  const before = hits;
  await expect(decodeImage(url, { allowUrls: true })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('allowPrivateUrls'),
  });
  await expect(decodeImage(url, { allowPrivateUrls: true })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining('allowUrls'),
  });
  expect(hits).toBe(before);
});
