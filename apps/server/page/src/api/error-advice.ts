import { ApiError } from './api-error.ts';

/** What a user sees of an error. */
export interface ErrorAdvice {
  readonly title: string;
  readonly code: string;
  readonly message: string;
  /** What to do. */
  readonly advice: string;
  /** The same request may succeed later. */
  readonly canRetry: boolean;
  /** The error is solved in the settings. */
  readonly needsSettings: boolean;
}

type KnownError = Omit<ErrorAdvice, 'code' | 'message' | 'needsSettings'> & { readonly needsSettings?: true };

const retry = (title: string, advice: string): KnownError => ({ title, advice, canRetry: true });
const change = (title: string, advice: string): KnownError => ({ title, advice, canRetry: false });

/** Codes of `docs/errors.md` that requests of this page meet. */
const KNOWN: Readonly<Record<string, KnownError>> = {
  NETWORK: retry('The server cannot be reached', 'Check that blip2 serve is running and that you are online.'),
  UNAUTHORIZED: {
    ...retry('This server needs a key', 'Enter the key that the server was started with in the settings.'),
    needsSettings: true,
  },
  INVALID_IMAGE: change('This image cannot be read', 'The file may be damaged. Choose another one, or save it again.'),
  UNSUPPORTED_IMAGE: change(
    'This kind of image is not supported',
    'Save it as JPEG, PNG or WebP and choose that file.',
  ),
  IMAGE_TOO_LARGE: change(
    'This image has too many pixels',
    'Make it smaller, or start the server with a larger --max-pixels.',
  ),
  BODY_TOO_LARGE: change(
    'This image is too large',
    'Use a smaller file, or start the server with a larger --max-body.',
  ),
  QUEUE_FULL: retry('The server is busy', 'Other requests are waiting. Try again in a moment.'),
  WORKER_FAILED: retry('The model has stopped', 'The server starts it again with the next request. Try again.'),
  DISPOSED: retry('The model was unloaded', 'The server loads it again with the next request. Try again.'),
  SHUTTING_DOWN: retry('The server is shutting down', 'Try again when it has been started again.'),
  TIMED_OUT: retry('The answer took too long', 'Try again, or ask for fewer tokens or cells.'),
  NOT_FOUND: { ...change('This model does not exist', 'Choose another one in the settings.'), needsSettings: true },
  SEQUENCE_TOO_LONG: change('The text is too long for this model', 'Shorten it, or clear the conversation.'),
};

const OTHER = change('The request failed', 'Change the request, or look into the log of the server.');

/** Describes an error of the client, or any other one. */
export function adviceFor(error: unknown): ErrorAdvice {
  const code = error instanceof ApiError ? error.code : 'UNEXPECTED';
  const status = error instanceof ApiError ? error.status : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const known = KNOWN[code] ?? { ...OTHER, canRetry: status === undefined || status >= 500 };
  return { needsSettings: false, ...known, code, message };
}
