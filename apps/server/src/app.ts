import { Blip2Error, defined } from '@blip2/interfaces';
import { type Context, Hono } from 'hono';

import { keyGuard } from './access/key-guard.ts';
import { originGuard } from './access/origin-guard.ts';
import type { ServerOptions } from './options.ts';
import { addPage } from './page/page-files.ts';
import { startCall } from './requests/call.ts';
import { failureOf } from './requests/failure.ts';
import { parseBody } from './requests/parse-body.ts';
import { isBinaryBody, parseJsonBody, readBody } from './requests/read-body.ts';
import { failureResponse, respond } from './routes/respond.ts';
import type { Route, ServerContext } from './routes/route.ts';
import { ROUTES } from './routes/routes.ts';

/** Options of the HTTP application. */
export interface AppOptions extends Pick<ServerOptions, 'apiKey' | 'corsOrigins' | 'onRequest'> {
  readonly onError: (error: unknown) => void;
  /** Aborts every request. */
  readonly signal: AbortSignal;
  /** Called when a request begins, and the result when it has ended. */
  readonly onStart: () => () => void;
  /** The address is that of this machine only, so that other names for it are refused. */
  readonly isLoopback: boolean;
}

/** The server as a function from requests to responses. */
export function createApp(server: ServerContext, options: AppOptions): Hono {
  const app = new Hono();
  app.use(originGuard(options));
  const hasKey = keyGuard(options.apiKey);
  for (const route of ROUTES)
    app.on(route.method.toUpperCase(), route.path, (context) => answer(context, route, hasKey, server, options));
  addPage(app);
  app.notFound(({ req }) => {
    const others = ROUTES.filter(({ path }) => path === req.path).map(({ method }) => method.toUpperCase());
    const error = new Blip2Error(
      'NOT_FOUND',
      others.length > 0
        ? `${req.path} accepts ${others.join(', ')} only`
        : `There is no route ${req.path.slice(0, 80)}`,
      { fix: 'See /openapi.json' },
    );
    return failureResponse({ ...failureOf(error), ...(others.length > 0 && { status: 405 }) }, 'openai');
  });
  app.onError((error) => {
    options.onError(error);
    return failureResponse(failureOf(error), 'openai');
  });
  return app;
}

async function answer(
  context: Context,
  route: Route,
  hasKey: (headers: Headers) => boolean,
  server: ServerContext,
  { onRequest, onError, onStart, signal }: AppOptions,
): Promise<Response> {
  const request = context.req.raw;
  const { limits } = server;
  const finish = onStart();
  const call = startCall({ deadlineMs: limits.requestTimeoutMs, client: request.signal, server: signal });
  const time = new Date().toISOString();
  const handling = async (): ReturnType<typeof answering> => answering();
  const answering = async () => {
    if (route.isOpen !== true && !hasKey(request.headers)) throw unauthorized();
    if (route.isOpen !== true && server.isEnding()) throw ending();
    const bytes =
      route.method === 'post' ? await readBody(request, limits.maxBodyBytes, call.signal) : new Uint8Array();
    const isBinary = route.binary !== undefined && isBinaryBody(request.headers, bytes, route.binary);
    const body = route.body && !isBinary ? parseBody(route.body, parseJsonBody(bytes)) : undefined;
    return route.handle({ server, call, body, bytes, headers: request.headers, params: context.req.param() });
  };
  return respond(call, handling, {
    errors: route.errors,
    onError,
    onEnd({ status, code }) {
      finish();
      const entry = {
        time,
        id: call.id,
        method: request.method,
        path: context.req.path,
        status,
        milliseconds: performance.now() - call.startedAt,
        ...defined({ code }),
        ...call.notes,
      };
      if (route.isQuiet === true) return;
      server.metrics.observe(entry);
      onRequest?.(entry);
    },
  });
}

function unauthorized(): Blip2Error {
  return new Blip2Error('UNAUTHORIZED', 'The request must have the key of this server', {
    fix: 'Send it as Authorization: Bearer KEY',
  });
}

function ending(): Blip2Error {
  return new Blip2Error('SHUTTING_DOWN', 'The server is shutting down', { fix: 'Send the request again later' });
}
