import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Blip2Error, type ErrorCode } from '@blip2/interfaces';
import { type RunningServer, serve } from '@blip2/server';
import fc, { type Arbitrary } from 'fast-check';

import { BrokenPromise } from '../broken-promise.ts';
import { defineTarget, type OpenTarget, type Target } from '../target.ts';
import { type JsonSchema, type LikelyValues, toJson, valuesOf } from './json-schema-cases.ts';

/** The paths are the same from `src` and `dist`. */
const ROOT: string = join(import.meta.dirname, '../../../../..');
const MODELS = ['opt', 't5', 'itm'].map((name) => ({
  name,
  source: join(ROOT, `apps/cli/models/blip2-${name}-shapes`),
}));

/** One request. */
interface Case {
  readonly path: string;
  readonly contentType: string;
  /** In base64, so that reports stay short. */
  readonly body: string;
  /** Milliseconds after which the client leaves; absent: it waits for the answer. */
  readonly leavesAfterMs: number | undefined;
}

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
}

/** Milliseconds for one answer; the server itself gives up long before. */
const HANG_MS = 60_000;
const MAX_BODY_BYTES = 2_000_000;
/** Of all cases, these shares are damaged after they were written, and left early. */
const DAMAGED = 8;
const RAW = 8;
const WHOLE = 84;
const LEAVING = 10;

/** Bodies for every route of the server that has one. */
export const serverTarget: Target<unknown> = defineTarget<Case>({
  name: 'server',
  promise: 'A request with any body is answered, and a refusal has a code that names what is wrong.',
  async open(): Promise<OpenTarget<Case>> {
    const errors: unknown[] = [];
    const server = await serve({
      models: MODELS,
      load: { isolate: 'inline' },
      port: 0,
      limits: { maxNewTokens: 3, maxBodyBytes: MAX_BODY_BYTES, maxTexts: 20, requestTimeoutMs: HANG_MS / 2 },
      onError: (error) => void errors.push(error),
    });
    return {
      cases: casesOf(await operationsOf(server)),
      run: (request) => send(server, request, errors),
      async [Symbol.asyncDispose]() {
        const ready = await fetch(`${server.url}/health/ready`);
        await server.close();
        if (ready.status !== 200) throw new BrokenPromise(`the server is not ready: ${ready.status}`);
      },
    };
  },
});

async function operationsOf({ url }: RunningServer): Promise<[string, JsonSchema][]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  return Object.entries(paths).flatMap(([path, { post }]) => {
    const schema = post?.requestBody?.content['application/json']?.schema;
    return schema ? [[path.replace('{model}', 'opt'), schema] as [string, JsonSchema]] : [];
  });
}

function casesOf(operations: readonly [string, JsonSchema][]): Arbitrary<Case> {
  const likely = likelyValues();
  return fc.oneof(
    ...operations.map(([path, schema]) =>
      fc.record({
        path: fc.constant(path),
        contentType: fc.oneof(
          { weight: 9, arbitrary: fc.constant('application/json') },
          fc.constantFrom('', 'text/plain', 'image/png', 'multipart/form-data', 'application/json; charset=utf-16'),
        ),
        body: bodiesOf(schema, likely).map((bytes) => Buffer.from(bytes).toString('base64')),
        leavesAfterMs: fc.oneof(
          { weight: 100 - LEAVING, arbitrary: fc.constant(undefined) },
          { weight: LEAVING, arbitrary: fc.nat({ max: 30 }) },
        ),
      }),
    ),
  );
}

/** Bodies that fit the schema, damaged ones, and bytes of any kind. */
function bodiesOf(schema: JsonSchema, likely: LikelyValues): Arbitrary<Uint8Array> {
  const written = valuesOf(schema, likely).map((value) => new TextEncoder().encode(toJson(value)));
  const damaged = fc
    .tuple(written, fc.double({ min: 0, max: 1, noNaN: true }), fc.uint8Array({ maxLength: 4 }), fc.boolean())
    .map(([bytes, share, inserted, isCut]) => {
      const at = Math.floor(share * bytes.length);
      return Uint8Array.of(...bytes.subarray(0, at), ...inserted, ...(isCut ? [] : bytes.subarray(at)));
    });
  const deep = fc
    .constantFrom('[', '{"a":', '[{"messages":')
    .map((text) => new TextEncoder().encode(text.repeat(50_000)));
  return fc.oneof(
    { weight: WHOLE, arbitrary: written },
    { weight: DAMAGED, arbitrary: damaged },
    { weight: RAW, arbitrary: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(imageBytes()), deep) },
  );
}

function imageBytes(): Uint8Array {
  return readFileSync(join(ROOT, 'examples/small-one.png'));
}

function likelyValues(): LikelyValues {
  const base64 = Buffer.from(imageBytes()).toString('base64');
  const url = `data:image/png;base64,${base64}`;
  return {
    model: ['opt', 'opt', 't5', 'itm'],
    url: [url],
    content: [[{ type: 'image_url', image_url: { url } }]],
    image_url: [url],
    image: [url, base64],
    images: [base64],
    inputs: [base64],
    data_base64: [base64],
    text: ['what is it?'],
    format: [{ properties: { a: { enum: ['x', 'y'] } } }],
    schema: [{ properties: { a: { enum: ['x', true, 3] } } }, { properties: { a: { $ref: '#/$defs/a' } } }],
    keep_alive: ['5m', 60],
    datatype: ['FP32', 'BYTES'],
    data: [base64],
    name: ['pixel_values', 'image', 'prompt', 'text'],
  };
}

/**
 * Sends a request.
 * @throws Blip2Error if it was refused; `BrokenPromise` for a refusal without a code, an unexpected error, or no
 * answer.
 */
async function send({ url }: RunningServer, request: Case, errors: unknown[]): Promise<void> {
  const { path, contentType, body, leavesAfterMs } = request;
  const leaving = new AbortController();
  const timer = leavesAfterMs === undefined ? undefined : setTimeout(() => leaving.abort(), leavesAfterMs);
  try {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: contentType === '' ? {} : { 'content-type': contentType },
      body: Buffer.from(body, 'base64'),
      signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(HANG_MS)]),
    });
    const text = await response.text();
    expectSound(response, text);
  } catch (error) {
    if (!leaving.signal.aborted || error instanceof BrokenPromise) throw asPromise(error);
  } finally {
    clearTimeout(timer);
    if (errors.length > 0) throw new BrokenPromise(`unexpected: ${describe(errors.splice(0)[0])}`);
  }
}

function asPromise(error: unknown): unknown {
  return error instanceof Blip2Error ? error : new BrokenPromise(`no answer: ${describe(error)}`);
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.message}\n${error.stack}\n${describe(error.cause ?? '')}` : String(error);
}

function expectSound({ status, headers }: Response, text: string): void {
  if (status === 200) {
    // A stream reports a failure in its last chunk.
    const isStream = !headers.get('content-type')?.startsWith('application/json');
    if (isStream && text.includes('"code":"UNEXPECTED"')) throw new BrokenPromise(text.slice(-500));
    return;
  }
  const { error, code = error?.code } = JSON.parse(text) as {
    readonly code?: string;
    readonly error?: { readonly code?: string };
  };
  if (code === undefined || code === 'UNEXPECTED') throw new BrokenPromise(`${status} ${text.slice(0, 500)}`);
  if (status >= 500) throw new BrokenPromise(`${status} for a request: ${text.slice(0, 500)}`);
  throw new Blip2Error(code as ErrorCode, 'refused');
}
