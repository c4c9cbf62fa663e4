import { randomUUID } from 'node:crypto';

import { Blip2Error } from '@blip2/interfaces';

/** What is known about a request when it has ended, for logs and metrics. */
export interface CallNotes {
  model?: string;
  promptTokens?: number;
  newTokens?: number;
  /** Milliseconds from the start of the request. */
  firstTokenMs?: number;
  /** Milliseconds that images took to be decoded and encoded. */
  encodeMs?: number;
  finishReason?: string;
  /** Texts of the request, kept only if they are logged. */
  prompt?: string;
  images?: number;
}

/** One request in progress. */
export interface Call {
  readonly id: string;
  /** As `performance.now`. */
  readonly startedAt: number;
  /** Aborted when the client disconnects, at the deadline, and when the server ends. */
  readonly signal: AbortSignal;
  readonly notes: CallNotes;
  /** Disposes of a resource when the request has ended, the last one first. */
  use<T extends AsyncDisposable>(resource: T): T;
  abort(reason: unknown): void;
  /** Disposes of all resources. */
  end(): Promise<void>;
}

/** Options of a request. */
export interface CallOptions {
  /** Milliseconds after which the request is ended. */
  readonly deadlineMs: number;
  /** Aborted when the client has disconnected. */
  readonly client: AbortSignal;
  /** Aborted when the server ends. */
  readonly server: AbortSignal;
}

/** Starts a request. */
export function startCall({ deadlineMs, client, server }: CallOptions): Call {
  const controller = new AbortController();
  const resources: AsyncDisposable[] = [];
  const abort = (reason: unknown): void => controller.abort(reason);
  const onAbort = (signal: AbortSignal, listener: () => void): (() => void) => {
    if (signal.aborted) listener();
    signal.addEventListener('abort', listener, { once: true });
    return () => signal.removeEventListener('abort', listener);
  };
  const listeners = [
    // The reason that the HTTP adapter gives is a text.
    onAbort(client, () => abort(new DOMException('The client has disconnected', 'AbortError'))),
    onAbort(server, () => abort(server.reason)),
  ];
  const timer = setTimeout(() => abort(timedOut(deadlineMs)), deadlineMs);
  timer.unref();
  return {
    id: randomUUID().replaceAll('-', ''),
    startedAt: performance.now(),
    signal: controller.signal,
    notes: {},
    use(resource) {
      resources.push(resource);
      return resource;
    },
    abort,
    async end() {
      clearTimeout(timer);
      for (const removeListener of listeners) removeListener();
      for (const resource of resources.splice(0).reverse()) await resource[Symbol.asyncDispose]();
    },
  };
}

function timedOut(deadlineMs: number): Blip2Error {
  return new Blip2Error('TIMED_OUT', 'The request took longer than its deadline', {
    expected: `at most ${deadlineMs / 1000} s`,
    fix: 'Ask for fewer tokens, or raise --request-timeout',
  });
}
