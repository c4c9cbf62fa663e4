import type { RequestEntry } from '../options.ts';
import type { Call } from '../requests/call.ts';
import { errorBody, type ErrorStyle, type Failure, failureOf } from '../requests/failure.ts';
import type { Answer } from './route.ts';

/** How a response is finished. */
export interface ResponseOptions {
  readonly errors: ErrorStyle;
  /** Called once, when the request has ended and its resources are free. */
  readonly onEnd: (entry: Pick<RequestEntry, 'status' | 'code'>) => void;
  /** Called with errors that clients do not see. */
  readonly onError: (error: unknown) => void;
}

/**
 * Answers a request. A stream responds with its first chunk, so that errors before it have a status. The rest is
 * produced without waiting for the client: texts are short, and a slow client must not keep its place at the model.
 */
export async function respond(
  call: Call,
  answering: () => Promise<Answer>,
  options: ResponseOptions,
): Promise<Response> {
  const end = async (status: number, failure?: Failure): Promise<void> => {
    await call.end().catch(options.onError);
    options.onEnd({ status, ...(failure && { code: failure.code }) });
  };
  const fail = async (error: unknown): Promise<Failure> => {
    const failure = failureOf(error);
    if (failure.status === 500) options.onError(error);
    return failure;
  };
  try {
    const answer = await answering();
    if (answer.kind === 'stream') return await streamResponse(call, answer, end, fail);
    const response = answer.kind === 'json' ? jsonResponse(answer.body, answer.status) : textResponse(answer);
    await end(response.status);
    return response;
  } catch (error) {
    const failure = await fail(error);
    await end(failure.status, failure);
    return failureResponse(failure, options.errors);
  }
}

/** The response to a failed request. */
export function failureResponse(failure: Failure, errors: ErrorStyle): Response {
  const response = jsonResponse(errorBody(failure, errors), failure.status);
  if (failure.retryAfter !== undefined) response.headers.set('retry-after', String(failure.retryAfter));
  if (failure.status === 401) response.headers.set('www-authenticate', 'Bearer');
  // What is left of a body that was not read would be taken for the next request.
  if (failure.status === 413) response.headers.set('connection', 'close');
  return response;
}

function jsonResponse(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
}

function textResponse({ text, contentType }: Extract<Answer, { readonly kind: 'text' }>): Response {
  return new Response(text, { headers: { 'content-type': contentType } });
}

async function streamResponse(
  call: Call,
  { chunks, contentType, failureChunk }: Extract<Answer, { readonly kind: 'stream' }>,
  end: (status: number, failure?: Failure) => Promise<void>,
  fail: (error: unknown) => Promise<Failure>,
): Promise<Response> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      let isOpen = true;
      const enqueue = (text: string): void => {
        try {
          if (isOpen) controller.enqueue(encoder.encode(text));
        } catch {
          // The client is gone; the call is aborted by its signal.
          isOpen = false;
        }
      };
      void (async () => {
        let failure: Failure | undefined;
        try {
          for (let next = first; !next.done; next = await iterator.next()) enqueue(next.value);
        } catch (error) {
          failure = await fail(error);
          enqueue(failureChunk(failure));
        }
        await end(200, failure);
        try {
          if (isOpen) controller.close();
        } catch {
          isOpen = false;
        }
      })();
    },
    cancel: () => call.abort(new DOMException('The client has disconnected', 'AbortError')),
  });
  return new Response(body, {
    // Proxies such as nginx would collect the whole stream.
    headers: { 'content-type': contentType, 'cache-control': 'no-cache', 'x-accel-buffering': 'no' },
  });
}
