import type { ErrorData } from './error-transfer.ts';

/** A request of the host, answered by one `Reply` with the same `id`. Arguments are encoded (`value-transfer.ts`). */
export type Request =
  | { readonly type: 'import'; readonly id: number; readonly module: string }
  | {
      readonly type: 'create';
      readonly id: number;
      /** Modules to import before. */
      readonly before: readonly string[];
      readonly module: string;
      readonly export: string;
      readonly args: unknown;
      /** The handle of the part. Default: a new one. */
      readonly handle: number | undefined;
    }
  | {
      readonly type: 'call';
      readonly id: number;
      readonly handle: number;
      readonly method: string;
      readonly args: unknown;
    }
  | { readonly type: 'dispose'; readonly id: number; readonly handle: number };

/** A message of the host without an answer. The worker handles it between runs, before the next request. */
export type Notice =
  /** The first handle that the worker may assign, greater than those of the worker that it replaces. */
  | { readonly type: 'begin'; readonly firstHandle: number }
  | { readonly type: 'abort'; readonly signal: number; readonly reason: ErrorData }
  | { readonly type: 'release'; readonly signals: readonly number[] }
  /** Finish the request in progress, reject the others, dispose of all parts, exit. */
  | { readonly type: 'end' };

/** The outcome of a request, with the changes of the parts concerned. */
export type Reply =
  | { readonly type: 'returned'; readonly id: number; readonly value: unknown; readonly parts: readonly PartSnapshot[] }
  /** `signal` identifies the signal whose abort reason was thrown, so that the caller gets its original object. */
  | {
      readonly type: 'threw';
      readonly id: number;
      readonly error: ErrorData;
      readonly signal: number | undefined;
      readonly parts: readonly PartSnapshot[];
    };

/** A message of the worker that does not answer a request. */
export type Report =
  | { readonly type: 'callback'; readonly callback: number; readonly args: unknown }
  | { readonly type: 'ended'; readonly error: ErrorData | undefined };

/**
 * State of a part for its remote: `methods` the first time, and data properties that changed since the last snapshot.
 */
export interface PartSnapshot {
  readonly handle: number;
  readonly methods: readonly string[] | undefined;
  readonly properties: Readonly<Record<string, unknown>>;
  /** Properties whose getters threw a `Blip2Error`. */
  readonly failures: Readonly<Record<string, ErrorData>>;
}
