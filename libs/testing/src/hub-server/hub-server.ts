import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { listen, sendError, sendJson, writeBytes } from './hub-response.ts';
import type { Fault, HubServer, HubServerOptions, ServedRequest } from './hub-server-options.ts';
import {
  DEFAULT_COMMIT,
  describeRepository,
  type ServedRepository,
  type StoredFile,
  storeFile,
} from './served-repository.ts';

/**
 * Starts a fake Hugging Face Hub on the loopback interface, with its storage of large files on another port. It answers
 * the requests of the download client from repositories in memory and can reproduce the faults of real servers.
 */
export async function startHubServer(initial: HubServerOptions = {}): Promise<HubServer> {
  const requests: ServedRequest[] = [];
  const state = { options: initial };
  const serve =
    (host: 'hub' | 'storage') =>
    async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
      const request: ServedRequest = {
        host,
        method: message.method ?? '',
        path: message.url ?? '',
        headers: message.headers,
        sent: 0,
      };
      requests.push(request);
      response.on('error', () => {});
      await (host === 'hub' ? serveHub : serveStorage)(request, response).catch(() => response.destroy());
    };
  const largeFrom = (): number => state.options.largeFrom ?? 1000;
  const find = (id: string): ServedRepository | undefined => state.options.repositories?.[id];
  const filesOf = ({ files }: ServedRepository): StoredFile[] =>
    Object.entries(files).map(([path, content]) => storeFile(path, content, largeFrom()));

  async function serveHub(request: ServedRequest, response: ServerResponse): Promise<void> {
    const url = new URL(request.path, 'http://hub');
    const api = /^\/api\/models\/(?<id>[^/]+(?:\/[^/]+)?)\/(?<kind>revision|tree)\/(?<revision>[^/]+)$/.exec(
      url.pathname,
    )?.groups;
    const file = /^\/(?<id>[^/]+(?:\/[^/]+)?)\/resolve\/(?<revision>[^/]+)\/(?<path>.+)$/.exec(url.pathname)?.groups;
    const { id = '', kind, revision = '', path = '' } = api ?? file ?? {};
    const repository = find(id);
    if (!repository) return sendError(response, 401, 'RepoNotFound');
    const commit = repository.commit ?? DEFAULT_COMMIT;
    if (
      (repository.access ?? 'public') !== 'public' &&
      request.headers.authorization !== `Bearer ${state.options.token}`
    )
      return sendError(response, 401, repository.access === 'gated' ? 'GatedRepo' : 'RepoNotFound');
    if (decodeURIComponent(revision) !== 'main' && revision !== commit)
      return sendError(response, 404, 'RevisionNotFound');
    response.setHeader('x-repo-commit', commit);
    if (kind === 'revision') return sendJson(response, describeRepository(id, repository, commit));
    if (kind === 'tree') return sendFileList(url, filesOf(repository), response);
    const stored = filesOf(repository).find((each) => each.path === decodeURIComponent(path));
    if (!stored) return sendError(response, 404, 'EntryNotFound');
    if (!stored.isLarge) return serveFile(request, response, stored.content, `"${stored.oid}"`);
    response
      .writeHead(302, {
        location: `${storage}/blob/${stored.sha256}?signature=secret`,
        'x-linked-etag': `"${stored.sha256}"`,
        'x-linked-size': stored.content.byteLength,
        'content-length': 0,
      })
      .end();
  }

  async function serveStorage(request: ServedRequest, response: ServerResponse): Promise<void> {
    const sha256 = /^\/blob\/([0-9a-f]{64})/.exec(request.path)?.[1];
    const stored = Object.values(state.options.repositories ?? {})
      .flatMap(filesOf)
      .find((each) => each.sha256 === sha256);
    if (!stored) return sendError(response, 404, '');
    await serveFile(request, response, stored.content, `"${createHash('md5').update(stored.content).digest('hex')}"`);
  }

  function sendFileList(url: URL, files: readonly StoredFile[], response: ServerResponse): void {
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const to = from + (state.options.pageSize ?? 1000);
    const folders = new Set(files.map(({ path }) => path.split('/').slice(0, -1).join('/')).filter(Boolean));
    const entries = [
      ...[...folders].map((path) => ({ type: 'directory', oid: '0'.repeat(40), size: 0, path })),
      ...files.map(({ path, content, isLarge, sha256, oid }) => ({
        type: 'file',
        oid,
        size: content.byteLength,
        path,
        ...(isLarge && { lfs: { oid: sha256, size: content.byteLength, pointerSize: 134 } }),
      })),
    ];
    if (to < entries.length) {
      url.searchParams.set('cursor', String(to));
      response.setHeader('link', `<${hub}${url.pathname}${url.search}>; rel="next"`);
    }
    sendJson(response, entries.slice(from, to));
  }

  async function serveFile(
    request: ServedRequest,
    response: ServerResponse,
    content: Uint8Array,
    etag: string,
  ): Promise<void> {
    const { options } = state;
    const fault = request.method === 'GET' ? options.fault?.(request) : undefined;
    if (fault === 'throttle') return sendError(response, 429, '', { 'retry-after': '0' });
    if (fault === 'unavailable') return sendError(response, 503, '');
    if (fault === 'expired') return sendError(response, request.host === 'hub' ? 500 : 403, '');
    if (fault === 'html-status')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Please log in</html>');
    if (fault === 'html') return void response.writeHead(200).end('<html>Please log in</html>'.padEnd(200));
    const [, requestedStart, requestedLast] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const isUnchanged = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    const isPart = requestedStart !== undefined && isUnchanged && fault !== 'ignore-range';
    const start = isPart ? Number(requestedStart) : 0;
    if (start > 0 && start >= content.byteLength) return sendError(response, 416, '');
    const first = start + (isPart && fault === 'wrong-range' ? 1 : 0);
    const end = isPart && requestedLast ? Math.min(Number(requestedLast) + 1, content.byteLength) : content.byteLength;
    if (isPart) response.setHeader('content-range', `bytes ${first}-${end - 1}/${content.byteLength}`);
    response.setHeader('accept-ranges', 'bytes');
    response.setHeader('etag', etag);
    await send(request, response, content.slice(first, end), isPart ? 206 : 200, fault);
  }

  async function send(
    request: ServedRequest,
    response: ServerResponse,
    whole: Uint8Array,
    status: number,
    fault: Fault | undefined,
  ): Promise<void> {
    const half = Math.floor(whole.byteLength / 2);
    let bytes = new Uint8Array(whole);
    if (fault === 'flip' && bytes[half] !== undefined) bytes[half] ^= 1;
    if (fault === 'short') bytes = bytes.slice(0, half);
    if (fault === 'long') bytes = new Uint8Array([...bytes, 0]);
    if (fault === 'gzip') {
      response.setHeader('content-encoding', 'gzip');
      bytes = gzipSync(bytes);
    }
    // Without a content length, the client cannot detect a wrong number of bytes.
    if (fault !== 'short' && fault !== 'long') response.setHeader('content-length', bytes.byteLength);
    response.writeHead(status).flushHeaders();
    if (request.method === 'HEAD') return void response.end();
    const { bytes: step, pause } = state.options.pace ?? { bytes: 65_536, pause: 0 };
    for (let offset = 0; offset < bytes.byteLength && !response.destroyed; offset += step) {
      if (fault === 'cut' && offset + step >= half) return void response.destroy();
      if (fault === 'stuck' && offset + step >= half) return;
      if (fault === 'trickle' && offset + step >= half) {
        for (let at = offset; at < bytes.byteLength && !response.destroyed; at++) {
          await writeBytes(response, bytes.subarray(at, at + 1), request);
          await sleep(20);
        }
        break;
      }
      await writeBytes(response, bytes.subarray(offset, offset + step), request);
      if (pause > 0) await sleep(pause);
    }
    response.end();
  }

  const servers = [
    createServer((message, response) => void serve('hub')(message, response)),
    createServer((message, response) => void serve('storage')(message, response)),
  ];
  const [hub = '', storageAddress = ''] = await Promise.all(servers.map(listen));
  // The storage has another host name, as in reality, because Python's client compares host names without ports.
  const storage = storageAddress.replace('127.0.0.1', 'localhost');
  const close = async (): Promise<void> => {
    for (const server of servers) server.closeAllConnections();
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  };
  return {
    endpoint: hub,
    storage,
    requests,
    close,
    [Symbol.asyncDispose]: close,
    get options() {
      return state.options;
    },
    set options(options) {
      state.options = options;
    },
  };
}
