import type { ImageThreads } from '@blip2/processor';
import type { z } from 'zod';

import type { ModelRegistry } from '../models/model-registry.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { ServerLimits } from '../options.ts';
import type { Call } from '../requests/call.ts';
import type { ErrorStyle, Failure } from '../requests/failure.ts';

/** What routes need of the server. */
export interface ServerContext {
  readonly models: ModelRegistry;
  readonly limits: ServerLimits;
  readonly metrics: Metrics;
  /** Threads that decode images. */
  readonly threads: ImageThreads;
  readonly logPrompts: boolean;
  /** Seconds since the epoch, when the server started. */
  readonly startedAt: number;
  /** Whether new requests are refused because the server ends. */
  isEnding(): boolean;
}

/** A request as routes receive it. */
export interface RouteRequest<Body = unknown> {
  readonly server: ServerContext;
  readonly call: Call;
  /** Checked against the schema of the route. */
  readonly body: Body;
  /** The body before it was parsed; empty for GET. */
  readonly bytes: Uint8Array;
  readonly headers: Headers;
  readonly params: Readonly<Record<string, string>>;
}

/** The answer to a request. */
export type Answer =
  | { readonly kind: 'json'; readonly body: unknown; readonly status?: 200 | 503 }
  | { readonly kind: 'text'; readonly text: string; readonly contentType: string }
  | {
      readonly kind: 'stream';
      readonly contentType: string;
      /** Whole events or lines. */
      readonly chunks: AsyncIterable<string>;
      /** The last chunk, if the stream fails after it has begun. */
      readonly failureChunk: (failure: Failure) => string;
    };

/** One route of the server. The OpenAPI document is made from these, too. */
export interface Route {
  readonly method: 'get' | 'post' | 'delete';
  /** As hono writes it: `/v1/models/:model`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly errors: ErrorStyle;
  /** Schema of a JSON body. */
  readonly body?: z.ZodType;
  /** Media types of a body that is not JSON. */
  readonly binary?: readonly string[];
  /** Needs no key and is answered while the server ends. */
  readonly isOpen?: boolean;
  /** Not counted as a request of a model, and not logged. */
  readonly isQuiet?: boolean;
  handle(request: RouteRequest): Promise<Answer> | Answer;
}

/** A route with a typed body. */
export function postRoute<Schema extends z.ZodType>(
  route: Omit<Route, 'method' | 'body' | 'handle'> & {
    readonly body: Schema;
    handle(request: RouteRequest<z.output<Schema>>): Promise<Answer> | Answer;
  },
): Route {
  return { ...route, method: 'post', handle: (request) => route.handle(request as RouteRequest<z.output<Schema>>) };
}

/** A JSON answer. */
export function json(body: unknown): Answer {
  return { kind: 'json', body };
}
