/** Every way in which these packages fail. Each code has a section in `docs/errors.md`. */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'UNKNOWN_OPTION'
  | 'INVALID_CONFIG'
  | 'UNSUPPORTED_ARCHITECTURE'
  | 'UNSUPPORTED_DTYPE'
  | 'UNSUPPORTED_DEVICE'
  | 'MISSING_FILE'
  | 'UNSAFE_PATH'
  | 'INVALID_CHECKPOINT'
  | 'MISSING_WEIGHT'
  | 'SHAPE_MISMATCH'
  | 'INVALID_TOKENIZER'
  | 'INVALID_IMAGE'
  | 'UNSUPPORTED_IMAGE'
  | 'IMAGE_TOO_LARGE'
  | 'SEQUENCE_TOO_LONG'
  | 'SESSION_FAILED'
  | 'NOT_FINITE'
  | 'WORKER_FAILED'
  | 'WRITE_FAILED'
  | 'DOWNLOAD_FAILED'
  | 'INTEGRITY_FAILED'
  | 'OFFLINE'
  | 'NOT_FOUND'
  | 'UNAUTHORIZED'
  | 'DISPOSED'
  | 'INVALID_STATE'
  | 'NOT_CONFORMING';

export interface ErrorDetails {
  readonly expected?: string;
  readonly got?: string;
  /** The file, tensor, field or option concerned. */
  readonly where?: string;
  /** What the user can do about it. */
  readonly fix?: string;
  readonly cause?: unknown;
}

/** The one error of these packages. `message` is one line: what, where, expected, got, and what to do. */
export class Blip2Error extends Error {
  override readonly name: string = 'Blip2Error';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, what: string, details: ErrorDetails = {}) {
    const { expected, got, where, fix, cause } = details;
    const found = [expected && `expected ${expected}`, got && `got ${got}`].filter(Boolean).join(', ');
    const message = `${what}${where ? ` (${where})` : ''}${found ? `: ${found}` : ''}${fix ? `. ${fix}` : ''}`;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}
