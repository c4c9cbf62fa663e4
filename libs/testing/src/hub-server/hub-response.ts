import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { ServedRequest } from './hub-server-options.ts';

/** Writes part of a body; resolves once it is passed to the operating system or the connection is closed. */
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

/** Sends a JSON response with status 200. */
export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** Sends an error response; `code` is the `x-error-code` header of the Hub, empty for none. */
export function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, ...(code !== '' && { 'x-error-code': code }) }).end('{"error":"no"}');
}

/** Starts a server on a free loopback port and returns its URL. */
export function listen(server: Server): Promise<string> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
  );
}
