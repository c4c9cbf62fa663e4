import { isError } from './realms.ts';

/** Codes of `Blip2Error`. Each is documented in `docs/errors.md`. */
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
  | 'INVALID_ARCHIVE'
  | 'SEQUENCE_TOO_LONG'
  | 'SESSION_FAILED'
  | 'NOT_FINITE'
  | 'WORKER_FAILED'
  | 'QUEUE_FULL'
  | 'UNSUPPORTED_FIELD'
  | 'BODY_TOO_LARGE'
  | 'TIMED_OUT'
  | 'SHUTTING_DOWN'
  | 'ORIGIN_REFUSED'
  | 'WRITE_FAILED'
  | 'OUTPUT_IN_USE'
  | 'DOWNLOAD_FAILED'
  | 'INTEGRITY_FAILED'
  | 'OFFLINE'
  | 'NOT_FOUND'
  | 'UNAUTHORIZED'
  | 'DISPOSED'
  | 'MODEL_CHANGED'
  | 'INVALID_STATE'
  | 'NOT_CONFORMING';

/**
 * Details of an error: prose for people (`expected`, `got`, `where`, `fix`), data for programs (`argument`, `subject`).
 */
export interface ErrorDetails {
  readonly expected?: string;
  readonly got?: string;
  /** The file, tensor or field concerned, as prose. Programs must not branch on it. */
  readonly where?: string;
  /** What the user can do about it. */
  readonly fix?: string;
  /** Name of the refused argument or option, as callers write it (`maxLength`). */
  readonly argument?: string;
  /** Identifier that the error is about: a model type, a repository id, a tensor name or a part. */
  readonly subject?: string;
  readonly cause?: unknown;
}

/** Details of a refused argument: the message is built from them. */
export type RefusedArgument = ErrorDetails & Required<Pick<ErrorDetails, 'argument' | 'expected' | 'got'>>;

/** The error class of these packages. `message` is one line: what, where, expected, got, and what to do. */
export class Blip2Error extends Error {
  override readonly name: string = 'Blip2Error';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  /** With `details` only, the message is that of a refused argument: `<argument> must be <expected>, got <got>`. */
  constructor(code: ErrorCode, details: RefusedArgument);
  constructor(code: ErrorCode, what: string, details?: ErrorDetails);
  constructor(code: ErrorCode, what: string | RefusedArgument, details: ErrorDetails = {}) {
    const all = typeof what === 'string' ? details : what;
    const message = typeof what === 'string' ? statement(what, details) : refusal(what);
    super(all.fix ? `${message}. ${all.fix}` : message, all.cause === undefined ? undefined : { cause: all.cause });
    this.code = code;
    this.details = all;
  }

  /** Recognizes the errors of another context or another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): value is Blip2Error {
    if (this !== Blip2Error) return Function.prototype[Symbol.hasInstance].call(this, value);
    return isError(value) && value.name === 'Blip2Error' && 'code' in value && 'details' in value;
  }
}

function statement(what: string, { where, expected, got }: ErrorDetails): string {
  const comparison = [expected && `expected ${expected}`, got && `got ${got}`].filter(Boolean).join(', ');
  return `${what}${place(where)}${comparison ? `: ${comparison}` : ''}`;
}

function refusal({ argument, expected, got, where }: RefusedArgument): string {
  return `${argument} must be ${expected}, got ${got}${place(where)}`;
}

function place(where: string | undefined): string {
  return where ? ` (${where})` : '';
}

/** Options of `mustBe`. */
export interface ArgumentDetails extends Pick<ErrorDetails, 'where' | 'fix' | 'subject' | 'cause'> {
  /** Default `INVALID_ARGUMENT`. */
  readonly code?: ErrorCode;
}

/** Maximum length of a value in a message, in UTF-16 code units. */
const MAX_SHOWN_LENGTH = 80;

/**
 * Creates the error for a refused argument: `<argument> must be <expected>, got <got>`, then where and what to do.
 * Strings are quoted, long values are shortened.
 */
export function mustBe(
  argument: string,
  expected: string,
  got: unknown,
  { code = 'INVALID_ARGUMENT', ...details }: ArgumentDetails = {},
): Blip2Error {
  return new Blip2Error(code, { ...details, argument, expected, got: showValue(got) });
}

function showValue(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : (kindOfObject(value) ?? String(value));
  return text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH)}…` : text;
}

/** Objects are shown by kind only, because their text is long or uninformative. */
function kindOfObject(value: unknown): string | undefined {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : undefined;
}
