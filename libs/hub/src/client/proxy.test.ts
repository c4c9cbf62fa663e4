import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

import { expect, onTestFinished, test, vi } from 'vitest';

import { badBlobs, contents, hubTest, servedContents } from '../fixtures/hub-test.ts';
import { tinyRepository } from '../fixtures/tiny-repository.ts';
import { MODEL_ID } from '../fixtures/tiny-repository.ts';
import { downloadModel } from '../index.ts';

/** A proxy on the loopback interface, which forwards requests and tunnels, and counts them. */
async function startProxy(): Promise<{
  readonly address: string;
  readonly targets: string[];
  readonly server: Server;
}> {
  const targets: string[] = [];
  const server = createServer((message, response) => {
    targets.push(message.url ?? '');
    void fetch(message.url ?? '', { headers: message.headers as Record<string, string>, redirect: 'manual' }).then(
      async (answer) => {
        response.writeHead(answer.status, Object.fromEntries(answer.headers));
        response.end(Buffer.from(await answer.arrayBuffer()));
      },
      () => response.writeHead(502).end(),
    );
  });
  server.on('connect', (message, socket, head) => {
    targets.push(message.url ?? '');
    const [host = '', port = ''] = (message.url ?? '').split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  onTestFinished(() => server.closeAllConnections());
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets, server };
}

test('a model is downloaded through the proxy of the environment', async () => {
  const { server, cacheDir } = await hubTest();
  const proxy = await startProxy();
  vi.stubEnv('HTTP_PROXY', proxy.address);
  vi.stubEnv('no_proxy', '');
  vi.stubEnv('NO_PROXY', '');
  const folder = await downloadModel(MODEL_ID);
  expect(await contents(folder)).toEqual(servedContents(tinyRepository()));
  expect(await badBlobs(cacheDir)).toEqual([]);
  expect(proxy.targets).toHaveLength(server.requests.length);
});

test('hosts in NO_PROXY are reached directly', async () => {
  await hubTest();
  const proxy = await startProxy();
  vi.stubEnv('http_proxy', proxy.address);
  vi.stubEnv('no_proxy', 'localhost,127.0.0.1');
  await downloadModel(MODEL_ID);
  expect(proxy.targets).toEqual([]);
});

test('a proxy that does not answer is a failure with a code', async () => {
  await hubTest();
  vi.stubEnv('http_proxy', 'http://user:secret@127.0.0.1:9');
  vi.stubEnv('no_proxy', '');
  await expect(downloadModel(MODEL_ID)).rejects.toMatchObject({
    code: 'DOWNLOAD_FAILED',
    message: expect.not.stringContaining('secret'),
  });
});
