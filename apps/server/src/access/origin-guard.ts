import { Blip2Error } from '@blip2/interfaces';
import type { MiddlewareHandler } from 'hono';

import { failureOf } from '../requests/failure.ts';
import { failureResponse } from '../routes/respond.ts';

/** Names of this machine. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;
/** Seconds that browsers keep the answer to a preflight request. */
const MAX_AGE_S = 600;

/**
 * Refuses requests of web pages of other origins: a browser sends simple requests without asking, and only hides their
 * answers. A server that listens on this machine only also refuses other host names, so that a page cannot reach it by
 * a name of its own that resolves to 127.0.0.1.
 */
export function originGuard({
  corsOrigins = [],
  isLoopback,
}: {
  readonly corsOrigins?: readonly string[];
  readonly isLoopback: boolean;
}): MiddlewareHandler {
  return async (context, next) => {
    const host = context.req.header('host') ?? '';
    const origin = context.req.header('origin');
    if (isLoopback && host !== '' && !LOOPBACK.test(host)) return refused('Host', host);
    if (origin === undefined) return next();
    const isAllowed = corsOrigins.includes('*') || corsOrigins.includes(origin);
    if (!isAllowed && !isOwn(origin, host)) return refused('Origin', origin);
    if (context.req.method !== 'OPTIONS') await next();
    else context.res = new Response(null, { status: 204 });
    if (isAllowed) addHeaders(context.res.headers, origin, context.req.header('access-control-request-headers'));
    return undefined;
  };
}

function isOwn(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

function addHeaders(headers: Headers, origin: string, requested: string | undefined): void {
  headers.set('access-control-allow-origin', origin);
  headers.set('access-control-allow-methods', 'GET, POST, DELETE');
  headers.set('access-control-allow-headers', requested ?? 'authorization, content-type');
  headers.set('access-control-max-age', String(MAX_AGE_S));
  headers.append('vary', 'origin');
}

function refused(header: string, value: string): Response {
  const error = new Blip2Error('ORIGIN_REFUSED', `The header ${header} names another site`, {
    got: value.slice(0, 100),
    fix: 'Web pages of other origins are allowed with --cors-origin, other host names with --host',
  });
  return failureResponse(failureOf(error), 'openai');
}
