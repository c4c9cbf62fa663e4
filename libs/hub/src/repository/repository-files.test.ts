import { expect, test } from 'vitest';

import { type HubIo, hubIo } from '../client/hub-io.ts';
import { hubTest } from '../fixtures/hub-test.ts';
import { MODEL_ID } from '../fixtures/tiny-repository.ts';
import { downloadModel } from '../index.ts';

/** Side effects in which the listing of a commit is replaced. */
function withListing(answer: (page: number) => Response): HubIo & { readonly pages: () => number } {
  let pages = 0;
  return {
    ...hubIo,
    sleep: async () => {},
    pages: () => pages,
    fetch: async (url, init) => (url.includes('/tree/') ? answer(++pages) : hubIo.fetch(url, init)),
  };
}

test('a listing without end is refused', async () => {
  await hubTest();
  const io = withListing(
    (page) => new Response('[]', { headers: { link: `<http://127.0.0.1:9/tree/?page=${page}>; rel="next"` } }),
  );
  await expect(downloadModel(MODEL_ID, {}, io)).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
  expect(io.pages()).toBe(1000);
});

test('pages that are large together are refused', async () => {
  await hubTest();
  const page = JSON.stringify([{ type: 'directory', path: 'x'.repeat(20_000_000) }]);
  const io = withListing(
    (count) => new Response(page, { headers: { link: `<http://127.0.0.1:9/tree/?page=${count}>; rel="next"` } }),
  );
  await expect(downloadModel(MODEL_ID, {}, io)).rejects.toMatchObject({ code: 'DOWNLOAD_FAILED' });
  expect(io.pages()).toBe(5);
});

test('a mirror that does not list files is named, not the repository', async () => {
  await hubTest();
  const io = withListing(() => new Response('not here', { status: 404 }));
  await expect(downloadModel(MODEL_ID, {}, io)).rejects.toMatchObject({
    code: 'DOWNLOAD_FAILED',
    message: expect.stringContaining('does not list its files'),
  });
});

test('compressed answers of the API are read, and the size of their content is limited', async () => {
  await hubTest();
  const { gzipSync } = await import('node:zlib');
  const { createServer } = await import('node:http');
  const body = gzipSync(Buffer.alloc(64_000_000, ' '));
  const server = createServer((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const io: HubIo = { ...hubIo, sleep: async () => {}, fetch: (_, init) => fetch(`http://127.0.0.1:${port}`, init) };
  await expect(downloadModel(MODEL_ID, {}, io)).rejects.toMatchObject({
    code: 'DOWNLOAD_FAILED',
    message: expect.stringContaining('more than 32000000 bytes'),
  });
  server.closeAllConnections();
  server.close();
});
