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

/** What an error is about, for people (`expected`, `got`, `where`, `fix`) and for programs (`argument`, `subject`). */
export interface ErrorDetails {
  readonly expected?: string;
  readonly got?: string;
  /** The file, tensor or field concerned, as prose. Programs must not branch on it. */
  readonly where?: string;
  /** What the user can do about it. */
  readonly fix?: string;
  /** Name of the argument or option that was refused, as callers spell it (`maxLength`). */
  readonly argument?: string;
  /** Identifier that the error is about: a model type, a repository id, a tensor name or a part. */
  readonly subject?: string;
  readonly cause?: unknown;
}

/** The only error that these packages throw. `message` is one line: what, where, expected, got, and what to do. */
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

/** Details of an argument that was refused. */
export interface ArgumentDetails extends Pick<ErrorDetails, 'where' | 'fix' | 'subject' | 'cause'> {
  /** Default `INVALID_ARGUMENT`. */
  readonly code?: ErrorCode;
}

/** Longest text of a value in a message. */
const MAX_SHOWN_LENGTH = 80;

/**
 * Creates the error for a refused argument: `<argument> must be <expected>, got <got>`, then the place and what to do.
 * Strings are quoted, long values are shortened.
 */
export function mustBe(
  argument: string,
  expected: string,
  got: unknown,
  { code = 'INVALID_ARGUMENT', ...details }: ArgumentDetails = {},
): Blip2Error {
  const shown = showValue(got);
  const error = new Blip2Error(code, `${argument} must be ${expected}, got ${shown}`, details);
  return Object.assign(error, { details: { ...details, argument, expected, got: shown } });
}

function showValue(value: unknown): string {
  const text =
    typeof value === 'string'
      ? JSON.stringify(value)
      : typeof value === 'object' && value !== null
        ? Array.isArray(value)
          ? 'a list'
          : 'an object'
        : typeof value === 'function'
          ? 'a function'
          : String(value);
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}
