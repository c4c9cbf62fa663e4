import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { ServedRequest } from './hub-server-options.ts';

export function writeBytes(response: ServerResponse, bytes: Uint8Array, request: ServedRequest): Promise<void> {
  request.sent += bytes.byteLength;
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('close', done);
      resolve();
    };
    response.on('close', done);
    response.write(bytes, done);
  });
}

export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

export function refuseRequest(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, ...(code !== '' && { 'x-error-code': code }) }).end('{"error":"no"}');
}

export function listen(server: Server): Promise<string> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
  );
}
