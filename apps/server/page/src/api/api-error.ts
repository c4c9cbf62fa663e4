/** A failed request: an error of the server with its code, or one of the connection. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** A code of `docs/errors.md`, or `NETWORK` if there was no answer. */
  readonly code: string;
  /** Absent if there was no answer, or if a stream failed after it had begun. */
  readonly status: number | undefined;
  /** Seconds after which the request may succeed. */
  readonly retryAfter: number | undefined;

  constructor(
    code: string,
    message: string,
    details: { readonly status?: number | undefined; readonly retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.code = code;
    this.status = details.status;
    this.retryAfter = details.retryAfter;
  }
}

/** The error in a body of the server: `{ error: { message, code } }`. Undefined for anything else. */
export function errorIn(
  body: unknown,
  details: { readonly status?: number; readonly retryAfter?: number | undefined } = {},
): ApiError | undefined {
  const { error } = Object(body) as { readonly error?: { readonly message?: unknown; readonly code?: unknown } };
  if (typeof error !== 'object' || error === null) return undefined;
  return new ApiError(String(error.code ?? 'UNEXPECTED'), String(error.message ?? 'The request failed'), details);
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
