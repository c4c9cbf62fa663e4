import { Blip2Error, type ErrorCode, type ErrorDetails } from '@blip2/interfaces';

import type { ImageResult, ImageTask } from './image-task.ts';

/** Message to an image thread. */
export type ImageRequest = { readonly id: number; readonly task: ImageTask } | { readonly abort: number };
/** Message of an image thread; `ready` is the first. */
export type ImageReply =
  | { readonly ready: true }
  | { readonly id: number; readonly result: ImageResult }
  | { readonly id: number; readonly error: ErrorData };

/** An error as plain data: a structured clone would drop its class, code and details. */
export interface ErrorData {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** Converts a thrown value to plain data. */
export function encodeError(thrown: unknown): ErrorData {
  if (!(thrown instanceof Blip2Error)) return { code: undefined, message: messageOf(thrown), details: {} };
  const { cause, ...details } = thrown.details;
  return {
    code: thrown.code,
    message: thrown.message,
    details: cause === undefined ? details : { ...details, cause: messageOf(cause) },
  };
}

/** The inverse of `encodeError`. An unexpected error of a thread is `WORKER_FAILED`. */
export function decodeError({ code, message, details: { cause, ...details } }: ErrorData): Blip2Error {
  if (code === undefined) return threadFailed(message);
  const all = typeof cause === 'string' ? { ...details, cause: new Blip2Error(code, cause) } : details;
  const error = new Blip2Error(code, message, all);
  // The constructor appends the details to the message, which contains them already.
  Object.defineProperty(error, 'message', { value: message, writable: true, configurable: true });
  return error;
}

/** The error of an image whose thread ended. */
export function threadFailed(got: string, cause?: unknown): Blip2Error {
  return new Blip2Error('WORKER_FAILED', 'The thread that decodes images failed', {
    got,
    fix: 'Try again; if memory is short, process smaller images',
    ...(cause !== undefined && { cause }),
  });
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
