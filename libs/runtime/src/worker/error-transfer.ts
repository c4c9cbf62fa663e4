import { Blip2Error, type ErrorCode, type ErrorDetails, isError } from '@blip2/interfaces';

/** An error as plain data: structured clone alone would drop its class, its code and its details. */
export interface ErrorData {
  readonly kind: 'blip2' | 'dom' | 'native' | 'value';
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Own properties with primitive values (`code`, `errno`, `syscall`, `path`, …). */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly cause?: ErrorData;
  readonly errors?: readonly ErrorData[];
}

/** Limit on the chain of causes, which may be circular. */
const MAX_CAUSES = 8;
const NATIVE_ERRORS: ReadonlyMap<string, new (message: string) => Error> = new Map(
  [TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError].map((type) => [type.name, type]),
);
const DETAIL_NAMES = ['expected', 'got', 'where', 'fix', 'argument', 'subject'] as const;

/** Converts a thrown value to plain data that can be transferred to another thread. */
export function encodeError(thrown: unknown, depth = 0): ErrorData {
  if (!isError(thrown))
    return {
      kind: 'value',
      name: typeof thrown,
      message: String(thrown),
      fields: { value: isPlain(thrown) ? thrown : String(thrown) },
    };
  const nested = depth < MAX_CAUSES;
  const { cause } = thrown;
  return {
    kind: thrown instanceof DOMException ? 'dom' : isBlip2Error(thrown) ? 'blip2' : 'native',
    name: String(thrown.name),
    message: String(thrown.message),
    ...(typeof thrown.stack === 'string' && { stack: thrown.stack }),
    fields: isBlip2Error(thrown) ? { code: thrown.code, ...stringDetails(thrown.details) } : plainFieldsOf(thrown),
    ...(nested && cause !== undefined && { cause: encodeError(cause, depth + 1) }),
    ...(nested &&
      thrown instanceof AggregateError && {
        errors: thrown.errors.map((error: unknown) => encodeError(error, depth + 1)),
      }),
  };
}

/** The inverse of `encodeError`: creates an error of this thread's classes with the stack of the other thread. */
export function decodeError(data: ErrorData): unknown {
  if (data.kind === 'value') return data.fields['value'];
  if (data.kind === 'dom') return new DOMException(data.message, data.name);
  const cause = data.cause && { cause: decodeError(data.cause) };
  const error = data.kind === 'blip2' ? decodeBlip2Error(data, cause) : decodeNativeError(data, cause);
  setHidden(error, 'message', data.message);
  if (data.stack !== undefined) setHidden(error, 'stack', data.stack);
  return error;
}

function decodeBlip2Error({ fields, message, name }: ErrorData, cause?: ErrorOptions): Blip2Error {
  const { code, ...details } = fields;
  const error = new Blip2Error(code as ErrorCode, message, { ...details, ...cause });
  if (name !== error.name) setHidden(error, 'name', name);
  return error;
}

function decodeNativeError({ name, message, fields, errors }: ErrorData, cause?: ErrorOptions): Error {
  const Native = NATIVE_ERRORS.get(name);
  const error = errors
    ? new AggregateError(errors.map(decodeError), message)
    : Native
      ? new Native(message)
      : new Error(message);
  if (cause) setHidden(error, 'cause', cause.cause);
  if (name !== error.name) setHidden(error, 'name', name);
  return Object.assign(error, fields);
}

/** Checks the shape, not the class: the worker may have loaded another copy of the interfaces package. */
function isBlip2Error(error: Error): error is Blip2Error {
  return (
    'code' in error &&
    typeof error.code === 'string' &&
    'details' in error &&
    typeof error.details === 'object' &&
    error.details !== null
  );
}

function stringDetails(details: ErrorDetails): Record<string, string> {
  return Object.fromEntries(
    DETAIL_NAMES.flatMap((name) => (details[name] === undefined ? [] : [[name, String(details[name])]])),
  );
}

function plainFieldsOf(error: Error): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(error).filter(
      ([name, value]) => !['name', 'message', 'stack', 'cause', 'errors'].includes(name) && isPlain(value),
    ),
  );
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean', 'bigint', 'undefined'].includes(typeof value);
}

function setHidden(error: Error, name: string, value: unknown): void {
  Object.defineProperty(error, name, { value, writable: true, configurable: true, enumerable: false });
}
