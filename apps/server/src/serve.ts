import { once, setMaxListeners } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { BatchingOptions } from '@blip2/blip2';
import { mustBe } from '@blip2/interfaces';
import { createImageThreads } from '@blip2/processor';
import { createAdaptorServer } from '@hono/node-server';

import { createApp } from './app.ts';
import { createModelRegistry } from './models/model-registry.ts';
import { createMetrics } from './observability/metrics.ts';
import { type ServerLimits, serverLimits, type ServerOptions } from './options.ts';

/** Where a server listens. */
export interface ListenOptions {
  /** Default: `127.0.0.1`, this machine only. */
  readonly host?: string;
  /** Default: 8080. 0: any free port. */
  readonly port?: number;
}

/** A server that answers requests. */
export interface RunningServer extends AsyncDisposable {
  /** `http://127.0.0.1:8080`. */
  readonly url: string;
  /**
   * Refuses new requests, waits for those in progress, and releases the models. Requests that take longer than
   * `shutdownMs` are aborted. Called again, aborts at once.
   */
  close(): Promise<void>;
}

const DEFAULT_PORT = 8080;
/** Threads that decode images. */
const IMAGE_THREADS = 2;

/**
 * Starts a server. It listens when the default model is loaded, so that it can answer from its first request on.
 * @throws Blip2Error the codes of loading the default model; the error of Node if the port is in use.
 */
export async function serve(options: ServerOptions & ListenOptions, signal?: AbortSignal): Promise<RunningServer> {
  const { host = '127.0.0.1', port = DEFAULT_PORT, models: sources, onError = reportError } = options;
  if (sources.length === 0) throw mustBe('models', 'at least one model', sources);
  const limits = serverLimits(options.limits);
  const models = createModelRegistry({
    models: sources,
    load: { isolate: 'process', ...options.load, batching: batchingOf(limits) },
    maxWaiting: limits.maxWaiting,
    maxRunning: limits.maxRunning,
    loadTimeoutMs: limits.loadTimeoutMs,
    maxModelBytes: limits.maxModelBytes,
    keepAliveMs: options.keepAliveMs ?? Infinity,
    onError,
  });
  const aborting = new AbortController();
  // One listener per request.
  setMaxListeners(0, aborting.signal);
  const threads = createImageThreads(IMAGE_THREADS);
  const requests = createRequestCount();
  let isEnding = false;
  const metrics = createMetrics(models);
  const app = createApp(
    {
      models,
      limits,
      metrics,
      threads,
      logPrompts: options.logPrompts === true,
      startedAt: Math.floor(Date.now() / 1000),
      isEnding: () => isEnding,
    },
    {
      ...options,
      onError,
      signal: aborting.signal,
      onStart: requests.start,
      isLoopback: isLoopbackHost(host),
    },
  );
  // The type names servers for HTTP/2 too, which are created with other options.
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  try {
    // The port first: whether it is free is known at once, a large model takes minutes.
    await listen(server, host, port, signal);
    const lease = await models.acquire({ name: undefined }, signal ?? new AbortController().signal);
    await lease[Symbol.asyncDispose]();
  } catch (error) {
    server.closeAllConnections();
    server.close();
    await models[Symbol.asyncDispose]();
    await threads[Symbol.asyncDispose]();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    isEnding = true;
    const timer = setTimeout(() => aborting.abort(stopped()), limits.shutdownMs);
    await requests.none();
    clearTimeout(timer);
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeIdleConnections();
    // A client that does not read its answer must not keep the server alive.
    const force = setTimeout(() => server.closeAllConnections(), FLUSH_MS);
    await closed;
    clearTimeout(force);
    await models[Symbol.asyncDispose]();
    await threads[Symbol.asyncDispose]();
  };
  const closeOnce = (): Promise<void> => {
    if (closing) aborting.abort(stopped());
    return (closing ??= close());
  };
  return { url: urlOf(server.address() as AddressInfo), close: closeOnce, [Symbol.asyncDispose]: closeOnce };
}

function batchingOf({ maxRunning, maxBatchImages, imageCacheBytes }: ServerLimits): BatchingOptions {
  return { maxRows: maxRunning, maxImages: maxBatchImages, imageCacheBytes };
}

/** Milliseconds for clients to read the last answers. */
const FLUSH_MS = 2000;

function stopped(): DOMException {
  return new DOMException('The server has ended', 'AbortError');
}

async function listen(server: Server, host: string, port: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  server.listen(port, host);
  await once(server, 'listening');
}

function urlOf({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host);
}

function reportError(error: unknown): void {
  console.error(error);
}

/** Counts the requests in progress. */
function createRequestCount(): { start(): () => void; none(): Promise<void> } {
  let count = 0;
  const waiting = new Set<() => void>();
  return {
    start() {
      count++;
      return () => {
        count--;
        if (count === 0) for (const resolve of waiting) resolve();
      };
    },
    none: () => (count === 0 ? Promise.resolve() : new Promise((resolve) => void waiting.add(resolve))),
  };
}
