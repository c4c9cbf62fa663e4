import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Blip2Error } from '@blip2/interfaces';
import type { Hono } from 'hono';

import { failureOf } from '../requests/failure.ts';
import { failureResponse } from '../routes/respond.ts';

/** The built page: `npm run page` writes it, and the package contains it. */
const FOLDER = join(fileURLToPath(new URL('../../page/', import.meta.url)), 'dist');
const INDEX = 'index.html';
/** Files whose name contains a hash of their content. */
const HASHED = /^assets\//;

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * The page runs its own scripts and styles, shows the images of the user (`blob:`), and talks to its own server only.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/**
 * Adds `GET /` and the files of the page, by the names in its folder and no others. They need no key: the page asks the
 * user for it.
 */
export function addPage(app: Hono, folder: string = FOLDER): void {
  let reading: Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> | undefined;
  app.get('*', async ({ req }, next) => {
    const name = req.path === '/' ? INDEX : req.path.slice(1);
    const files = await (reading ??= readFiles(folder));
    const content = files.get(name);
    if (!content) return name === INDEX ? failureResponse(failureOf(notBuilt()), 'openai') : next();
    return new Response(content, {
      headers: {
        ...HEADERS,
        'content-type': MEDIA_TYPES[extname(name)] ?? 'application/octet-stream',
        'cache-control': HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
      },
    });
  });
}

/** The files of a folder by their path in it. None, if it does not exist. */
async function readFiles(folder: string): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      files.map(async (file) => {
        const name = file.slice(folder.length).replaceAll('\\', '/').replace(/^\//, '');
        return [name, new Uint8Array(await readFile(file))] as const;
      }),
    ),
  );
}

function notBuilt(): Blip2Error {
  return new Blip2Error('NOT_FOUND', 'The web page has not been built', { fix: 'Build it with: npm run page' });
}
