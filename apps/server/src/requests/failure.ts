import { Blip2Error, type ErrorCode } from '@blip2/interfaces';

/** A failed request as clients receive it. */
export interface Failure {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 429 | 500 | 503 | 504;
  /** A code of `docs/errors.md`, or `UNEXPECTED`. */
  readonly code: ErrorCode | 'UNEXPECTED' | 'ABORTED';
  readonly message: string;
  /** The refused field. */
  readonly field?: string;
  /** Seconds after which the request may succeed. */
  readonly retryAfter?: number;
}

/** The status of each code. Codes that are not listed are failures of the server or of the checkpoint: 500. */
const STATUS: Readonly<Partial<Record<ErrorCode, Failure['status']>>> = {
  INVALID_ARGUMENT: 400,
  UNKNOWN_OPTION: 400,
  UNSUPPORTED_FIELD: 400,
  INVALID_IMAGE: 400,
  UNSUPPORTED_IMAGE: 400,
  SEQUENCE_TOO_LONG: 400,
  DOWNLOAD_FAILED: 400,
  UNAUTHORIZED: 401,
  ORIGIN_REFUSED: 403,
  NOT_FOUND: 404,
  IMAGE_TOO_LARGE: 413,
  BODY_TOO_LARGE: 413,
  QUEUE_FULL: 429,
  WORKER_FAILED: 503,
  DISPOSED: 503,
  SHUTTING_DOWN: 503,
  TIMED_OUT: 504,
};

/** Seconds for clients that were refused because of load, or because the model is being loaded again. */
const RETRY_AFTER_S = 1;

/** Converts any thrown value. The messages of unknown errors are not for clients. */
export function failureOf(error: unknown): Failure {
  if (error instanceof Blip2Error) {
    const status = STATUS[error.code] ?? 500;
    return {
      status,
      code: error.code,
      message: error.message,
      ...(error.details.argument === undefined ? {} : { field: error.details.argument }),
      ...(status === 429 || status === 503 ? { retryAfter: RETRY_AFTER_S } : {}),
    };
  }
  if (error instanceof Error && error.name === 'AbortError')
    return { status: 503, code: 'ABORTED', message: 'The request was aborted', retryAfter: RETRY_AFTER_S };
  return { status: 500, code: 'UNEXPECTED', message: 'An unexpected error occurred; the log of the server has it' };
}

/** How an API reports errors. */
export type ErrorStyle = 'openai' | 'plain';

/** The body of an error response: an object with a message for OpenAI's clients, a text for the others. */
export function errorBody({ status, code, message, field }: Failure, style: ErrorStyle): object {
  if (style === 'plain') return { error: message, code, ...(field === undefined ? {} : { field }) };
  const type =
    status < 500 && status !== 429 ? 'invalid_request_error' : status === 429 ? 'rate_limit' : 'server_error';
  return { error: { message, type, code, param: field ?? null } };
}
