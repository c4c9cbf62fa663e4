import { Blip2Error, unlessAborted } from '@blip2/interfaces';

/**
 * Reads the body of a request.
 * @throws Blip2Error `BODY_TOO_LARGE` beyond `maxBytes`, if possible before anything is read; the reason of the signal.
 */
export async function readBody(request: Request, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  const declared = Number(request.headers.get('content-length') ?? 0);
  if (declared > maxBytes) throw tooLarge(maxBytes, `${declared} bytes`);
  if (!request.body) return new Uint8Array();
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    // A client that stops sending must not outlast its deadline.
    const { done, value } = await unlessAborted(reader.read(), signal).catch((cause: unknown) => {
      if (signal.aborted) throw signal.reason;
      throw new Blip2Error('INVALID_ARGUMENT', 'The body ended before it was complete', { argument: 'body', cause });
    });
    if (done) break;
    length += value.byteLength;
    if (length > maxBytes) {
      reader.cancel().catch(ignore);
      throw tooLarge(maxBytes, 'more');
    }
    chunks.push(value);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

const ignore = (): void => undefined;

function tooLarge(maxBytes: number, got: string): Blip2Error {
  return new Blip2Error('BODY_TOO_LARGE', 'The body of the request is too large', {
    argument: 'body',
    expected: `at most ${maxBytes} bytes`,
    got,
    fix: 'Send smaller images, or raise --max-body',
  });
}

const BRACE = '{'.charCodeAt(0);
/** Space, tab, line feed, carriage return: what may precede a JSON value. */
const SPACES: ReadonlySet<number | undefined> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Whether a body is bytes rather than JSON: by its media type or, since some clients send none or a wrong one with
 * bytes, by its first character.
 */
export function isBinaryBody(headers: Headers, bytes: Uint8Array, types: readonly string[]): boolean {
  const type = headers.get('content-type') ?? '';
  if (types.some((binary) => type.startsWith(binary))) return true;
  if (type.startsWith('application/json') || bytes.byteLength === 0) return false;
  let start = 0;
  while (SPACES.has(bytes[start])) start++;
  return bytes[start] !== BRACE;
}

/** Levels of a body. Functions that call themselves for each level would end in a stack overflow for far more. */
const MAX_LEVELS = 64;

/**
 * Parses a JSON body. An empty body is an empty object.
 * @throws Blip2Error `INVALID_ARGUMENT` if it is not JSON in UTF-8, or nested too deeply.
 */
export function parseJsonBody(bytes: Uint8Array): unknown {
  if (bytes.byteLength === 0) return {};
  const body = parseText(bytes);
  let level = [body].filter(isNested);
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === MAX_LEVELS)
      throw new Blip2Error('INVALID_ARGUMENT', 'The body is nested too deeply', {
        argument: 'body',
        expected: `at most ${MAX_LEVELS} levels`,
      });
    level = level.flatMap((value) => Object.values(value).filter(isNested));
  }
  return body;
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function parseText(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new Blip2Error('INVALID_ARGUMENT', 'The body must be JSON in UTF-8', {
      argument: 'body',
      got: cause instanceof Error ? cause.message.slice(0, MAX_SHOWN_LENGTH) : 'something else',
      cause,
    });
  }
}

const MAX_SHOWN_LENGTH = 120;
