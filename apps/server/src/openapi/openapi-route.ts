import { z } from 'zod';

import { json, type Route } from '../routes/route.ts';

/** The route of the OpenAPI document of other routes. */
export function openApiRoute(routes: readonly Route[]): Route {
  let document: object | undefined;
  const own: Route = {
    method: 'get',
    path: '/openapi.json',
    tag: 'Health',
    summary: 'This document',
    errors: 'plain',
    isQuiet: true,
    handle: () => json((document ??= openApiDocument([...routes, own]))),
  };
  return own;
}

/** The OpenAPI 3.1 document of routes. */
export function openApiDocument(routes: readonly Route[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[documentedPath(route.path)] ??= {})[route.method] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'blip2 serve',
      version: '1',
      description: 'BLIP-2 models: an image without text is described, an image with text is a question about it.',
    },
    paths,
    components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
    security: [{}, { key: [] }],
  };
}

function operation({ method, path, summary, tag, body, binary = [], errors }: Route): object {
  const content = {
    ...(body && { 'application/json': { schema: z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' }) } }),
    ...Object.fromEntries(binary.map((type) => [`${type}*`, { schema: { type: 'string', format: 'binary' } }])),
  };
  const parameters = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const message = { type: 'string' };
  const error =
    errors === 'plain'
      ? { error: message, code: { type: 'string' } }
      : { error: { type: 'object', properties: { message, code: { type: 'string' } } } };
  return {
    summary,
    tags: [tag],
    operationId: `${method}${documentedPath(path).replaceAll(/[^a-zA-Z0-9]+/g, '_')}`,
    ...(parameters.length > 0 && { parameters }),
    ...(Object.keys(content).length > 0 && { requestBody: { required: true, content } }),
    responses: {
      200: { description: 'The answer' },
      default: {
        description: 'An error, with a code of docs/errors.md',
        content: { 'application/json': { schema: { type: 'object', properties: error } } },
      },
    },
  };
}

/** `/v1/models/:model{.+}` as `/v1/models/{model}`. */
function documentedPath(path: string): string {
  return path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');
}
